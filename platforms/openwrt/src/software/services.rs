//! Execution units: the init scripts of packages. procd says what runs, the links in `/etc/rc.d` what starts with the box.

use std::{cell::RefCell, collections::BTreeMap, collections::BTreeSet, rc::Rc};

use cwmp_linux::{command, files::clean};
use cwmp_platform::software::{Activity, ExecutionFault, ExecutionUnit};
use cwmp_ubus::Table;
use tokio::sync::Notify;

use super::is_word;
use crate::{ground::Ground, limits};

/// Longest fault message, in characters.
const MESSAGE_CHARS: usize = 256;

/// What is under way with init scripts, and what went wrong with them.
#[derive(Default)]
pub(crate) struct Services {
    /// By script.
    orders: RefCell<BTreeMap<String, Order>>,
    /// An order has ended.
    pub(crate) ended: Notify,
}

/// The last order to a script.
enum Order {
    /// It is being started (`true`) or stopped.
    UnderWay(bool),
    Failed(ExecutionFault),
}

/// What the box says of all scripts.
pub(super) struct Running {
    active: BTreeSet<String>,
    enabled: BTreeSet<String>,
}

impl Services {
    /// Looks at all scripts at once. A box whose procd does not answer has none that runs.
    pub(super) async fn look(&self, ground: &Ground) -> Running {
        let listed = ground.bus.call("service", "list", &Table::new()).await;
        let listed = listed.inspect_err(|error| tracing::warn!("service list: {error}"));
        let runs = |service: &Table| {
            let instances = service.table("instances");
            instances.into_iter().flat_map(Table::iter).any(|(_, instance)| {
                instance.as_table().is_some_and(|instance| instance.bool("running") == Some(true))
            })
        };
        let answers = listed.unwrap_or_default();
        let services = answers.iter().flat_map(Table::iter);
        let active = services.filter(|(_, service)| service.as_table().is_some_and(runs));
        let active = active.map(|(name, _)| name.to_owned()).collect();
        let links = ground.root.names("etc/rc.d");
        let enabled = links.iter().filter_map(|link| script_of(link)).map(str::to_owned).collect();
        Running { active, enabled }
    }

    /// An execution unit as it is now; `waiting` are the scripts that start once their environment is enabled again.
    pub(super) fn unit(
        &self,
        name: String,
        now: &Running,
        waiting: Option<&BTreeSet<String>>,
    ) -> ExecutionUnit {
        let orders = self.orders.borrow();
        let order = orders.get(&name);
        let activity = match (order, now.active.contains(&name)) {
            (Some(Order::UnderWay(true)), _) => Activity::Starting,
            (Some(Order::UnderWay(false)), _) => Activity::Stopping,
            (_, true) => Activity::Active,
            (_, false) => Activity::Idle,
        };
        let fault = match order {
            Some(Order::Failed(fault)) => Some(fault.clone()),
            _ => None,
        };
        let auto_start = waiting.unwrap_or(&now.enabled).contains(&name);
        ExecutionUnit { name, activity, auto_start, fault }
    }

    /// Starts or stops one, and does not wait for it.
    ///
    /// # Errors
    /// It is being started or stopped already.
    pub(super) fn run(self: &Rc<Self>, ground: &Rc<Ground>, name: &str, active: bool) -> Result<(), String> {
        let mut orders = self.orders.borrow_mut();
        match orders.get(name) {
            Some(Order::UnderWay(present)) if *present == active => return Ok(()),
            Some(Order::UnderWay(_)) => return Err(format!("{name} is being started or stopped just now")),
            _ => {}
        }
        orders.insert(name.to_owned(), Order::UnderWay(active));
        let (services, ground, name) = (Rc::clone(self), Rc::clone(ground), name.to_owned());
        tokio::task::spawn_local(async move {
            let done = script(&ground, &name, if active { "start" } else { "stop" }).await;
            services.over(name, active, done);
        });
        Ok(())
    }

    /// Starts or stops one to the end. What goes wrong is kept as its fault.
    pub(super) async fn run_to_end(&self, ground: &Ground, name: &str, active: bool) {
        self.orders.borrow_mut().insert(name.to_owned(), Order::UnderWay(active));
        let done = script(ground, name, if active { "start" } else { "stop" }).await;
        self.over(name.to_owned(), active, done);
    }

    fn over(&self, name: String, on_start: bool, done: Result<(), String>) {
        let mut orders = self.orders.borrow_mut();
        match done {
            Ok(()) => drop(orders.remove(&name)),
            Err(text) => {
                tracing::warn!("{text}");
                let text = clean(&text, MESSAGE_CHARS);
                orders.insert(name, Order::Failed(ExecutionFault { on_start, text }));
            }
        }
        self.ended.notify_one();
    }
}

/// Has a script start with the box, or not.
///
/// # Errors
/// What the script says.
pub(super) async fn enable(ground: &Ground, name: &str, on: bool) -> Result<(), String> {
    script(ground, name, if on { "enable" } else { "disable" }).await
}

async fn script(ground: &Ground, name: &str, order: &str) -> Result<(), String> {
    let program = ground.program(&format!("etc/init.d/{name}")).filter(|_| is_word(name));
    let program = program.ok_or_else(|| format!("there is no /etc/init.d/{name}"))?;
    let done = command::run(&[program, order.to_owned()], &[], limits::SHORT_RUN).await;
    done.map_err(|error| error.to_string())
}

/// The script that a link such as `S50dropbear` starts.
fn script_of(link: &str) -> Option<&str> {
    link.strip_prefix('S').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()))
}
