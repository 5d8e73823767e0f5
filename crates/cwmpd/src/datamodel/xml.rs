//! The supported model as a device type document (TR-106 Annex B, schema cwmp-devicetype): what an ACS reads to learn what
//! this box has of TR-181.
//!
//! A device type document picks from a data model that is published elsewhere. Parameters of vendors have no such model, so
//! they are not in it; how many there are is said in its annotation.

use cwmp_datamodel::{DataModel, Surveyed, facts::VERSION};
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};

use super::supported::Supported;
use crate::run::one;

const NAMESPACE: &str = "urn:broadband-forum-org:cwmp:devicetype-1-3";

/// The document.
///
/// # Errors
/// A source that fails.
pub(super) async fn document(model: &DataModel) -> Result<String, Vec<String>> {
    let mut supported = Supported::default();
    let mut see = |seen: Surveyed<'_>| supported.see(seen);
    model.survey("", &mut see).await.map_err(one)?;
    String::from_utf8(write(&supported).map_err(one)?).map_err(one)
}

fn write(supported: &Supported) -> std::io::Result<Vec<u8>> {
    let access = |writable| ("access", if writable { "readWrite" } else { "readOnly" });
    let version = VERSION.replace('.', "-");
    let (model, spec) =
        (format!("Device:{VERSION}"), format!("urn:broadband-forum-org:tr-181-{version}-0-cwmp"));
    let file = format!("tr-181-{version}-0-cwmp.xml");
    let mut out = Writer::new_with_indent(Vec::new(), b' ', 2);
    out.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let document = BytesStart::new("dt:document")
        .with_attributes([("xmlns:dt", NAMESPACE), ("deviceType", "urn:cwmpd:device-type")]);
    out.write_event(Event::Start(document))?;
    let vendors = supported.vendors.len();
    let note = format!("What cwmpd supports on this device; {vendors} parameters of vendors are not listed.");
    out.create_element("annotation").write_text_content(BytesText::new(&note))?;
    let import = [("file", file.as_str()), ("spec", spec.as_str())];
    out.create_element("import").with_attributes(import).write_inner_content(|out| {
        out.create_element("model").with_attribute(("name", model.as_str())).write_empty().map(|_| ())
    })?;
    out.write_event(Event::Start(BytesStart::new("model").with_attributes([("ref", model.as_str())])))?;
    for object in supported.objects.values() {
        let start = BytesStart::new("object")
            .with_attributes([("ref", object.path.as_str()), access(object.writable)]);
        out.write_event(Event::Start(start))?;
        for (name, writable) in object.parameters.values() {
            let attributes = [("ref", *name), access(*writable)];
            out.create_element("parameter").with_attributes(attributes).write_empty()?;
        }
        out.write_event(Event::End(BytesEnd::new("object")))?;
    }
    out.write_event(Event::End(BytesEnd::new("model")))?;
    out.write_event(Event::End(BytesEnd::new("dt:document")))?;
    let mut written = out.into_inner();
    written.push(b'\n');
    Ok(written)
}
