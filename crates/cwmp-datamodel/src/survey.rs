//! The tree as an integrator sees it: what is there, what the model says of it, and where it comes from.

use cwmp_core::{fault::CwmpFault, rpc::ParameterValueStruct};
use cwmp_platform::source::ObjectKind;

use crate::{
    facts::Rule,
    model::{DataModel, Origin, Reading, expand, unknown},
    snapshot::Entry,
};

/// An object or a parameter that is there now.
#[derive(Clone, Copy, Debug)]
pub enum Surveyed<'a> {
    /// An object, with its concrete path.
    Object(&'a str, ObjectKind),
    /// A parameter.
    Parameter {
        /// Name, type and value.
        entry: Entry<'a>,
        /// What the model says of it; `None` for a vendor's.
        rule: Option<Rule>,
        /// Name of the source; `None` for what the tree itself keeps.
        source: Option<&'static str>,
    },
}

/// A change that would be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Full name with instance numbers.
    pub name: String,
    /// The value in canonical form.
    pub value: String,
    /// Name of the source that would apply it; `None` for the tree itself.
    pub source: Option<&'static str>,
}

impl DataModel {
    /// Visits everything below a partial path, or one parameter, in the order of the model.
    ///
    /// # Errors
    /// 9005 for an unknown name, 9002 for a source that fails.
    pub async fn survey(&self, path: &str, visit: &mut dyn FnMut(Surveyed<'_>)) -> Result<(), CwmpFault> {
        let snapshot = self.read(&[path], Reading::Strict).await?;
        for name in expand(&snapshot, &[path])? {
            if !name.ends_with('.') && !name.is_empty() {
                for found in snapshot.parameters(&name).map_err(unknown)? {
                    visit(self.surveyed(&found));
                }
                continue;
            }
            for (object, kind) in snapshot.objects(&name).map_err(unknown)? {
                visit(Surveyed::Object(object, kind));
                let below = snapshot.parameters(object).map_err(unknown)?;
                for found in below.take_while(|found| found.entry.object == object) {
                    visit(self.surveyed(&found));
                }
            }
        }
        Ok(())
    }

    fn surveyed<'a>(&self, found: &crate::snapshot::Found<'a>) -> Surveyed<'a> {
        let source =
            if self.claimed.is_empty() { found.source } else { self.owner(&found.full_name(), found) };
        Surveyed::Parameter { entry: found.entry, rule: found.rule, source: self.name_of(source) }
    }

    /// Where a parameter, given with instance numbers, comes from, where its source has more to say than its name.
    #[must_use]
    pub fn origin(&self, name: &str) -> Option<String> {
        self.sources.iter().find_map(|source| source.origin(name))
    }

    /// Whether a SetParameterValues would succeed, and who would apply what. Nothing is changed, and no row is made.
    ///
    /// # Errors
    /// The fault that the call would be answered with.
    pub async fn dry_run(&self, parameters: &[ParameterValueStruct]) -> Result<Vec<Planned>, CwmpFault> {
        let before = self.read_for(parameters, Reading::BeforeImage).await?;
        let plan = self.plan(&before, parameters, Origin::Acs).await?;
        let mut planned = Vec::new();
        for (source, part) in plan.parts {
            let source = self.name_of(Some(source));
            let changes = part.changes.into_iter();
            planned.extend(changes.map(|change| Planned { name: change.name, value: change.value, source }));
        }
        let renamed = plan.renamed.into_iter();
        planned.extend(renamed.map(|change| Planned {
            name: change.name,
            value: change.value,
            source: None,
        }));
        Ok(planned)
    }

    fn name_of(&self, source: Option<u8>) -> Option<&'static str> {
        self.sources.get(usize::from(source?)).map(|source| source.name())
    }
}
