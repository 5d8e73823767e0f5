//! What everything of this backend stands on: the files, the bus, the configuration, the kernel, the agent's settings.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::SystemTime};

use cwmp_linux::{files::Root, kernel::Kernel, moment::Moment, system::uptime};
use cwmp_platform::{instances::InstanceNumbers, settings::Settings};
use cwmp_uci::Uci;
use tokio::sync::Notify;

use crate::{bus::Ubus, options::Options, software::Services, survey::Survey};

/// What all parts share.
pub(crate) struct Ground {
    pub(crate) options: Options,
    pub(crate) root: Root,
    pub(crate) bus: Rc<dyn Ubus>,
    pub(crate) uci: Uci,
    pub(crate) kernel: Box<dyn Kernel>,
    pub(crate) numbers: Rc<InstanceNumbers>,
    pub(crate) settings: Rc<dyn Settings>,
    pub(crate) now: fn() -> SystemTime,
    /// What is under way with init scripts.
    pub(crate) services: Rc<Services>,
    /// What was looked up for the present call of the ACS.
    survey: RefCell<Option<Rc<Survey>>>,
    /// The network device of each logical interface, as netifd said last: for those who cannot wait for the bus.
    pub(crate) devices: RefCell<BTreeMap<String, String>>,
    /// Told after each commit of package `firewall`.
    pub(crate) firewall_changed: Notify,
}

/// What a [`Ground`] is made of.
pub(crate) struct Means {
    pub(crate) bus: Rc<dyn Ubus>,
    pub(crate) kernel: Box<dyn Kernel>,
    pub(crate) numbers: Rc<InstanceNumbers>,
    pub(crate) settings: Rc<dyn Settings>,
    pub(crate) now: fn() -> SystemTime,
}

impl Ground {
    pub(crate) fn new(options: Options, means: Means) -> Self {
        let Means { bus, kernel, numbers, settings, now } = means;
        let root = Root::new(options.root.clone());
        let uci = Uci::new(cwmp_uci::UciOptions {
            config: root.path("etc/config"),
            overrides: Some(root.path("var/run/uci")),
        });
        let (survey, devices, services) = (RefCell::default(), RefCell::default(), Rc::default());
        let firewall_changed = Notify::new();
        Self {
            options,
            root,
            bus,
            uci,
            kernel,
            numbers,
            settings,
            now,
            services,
            survey,
            devices,
            firewall_changed,
        }
    }

    /// What is looked up for the present call: the same for all who ask, until [`Ground::forget`].
    pub(crate) fn survey(self: &Rc<Self>) -> Rc<Survey> {
        let mut survey = self.survey.borrow_mut();
        Rc::clone(survey.get_or_insert_with(|| Rc::new(Survey::new(Rc::clone(self)))))
    }

    /// Forgets what was looked up: another call begins, or the box has changed.
    pub(crate) fn forget(&self) {
        self.survey.take();
    }

    /// Both clocks.
    pub(crate) fn moment(&self) -> Moment {
        Moment::now((self.now)(), self.clock_is_synchronised())
    }

    /// Seconds since the boot.
    pub(crate) fn uptime(&self) -> Option<u32> {
        uptime(&self.root)
    }

    /// Whether something has set the clock since the boot: files below `/var`, which is empty after a boot.
    pub(crate) fn clock_is_synchronised(&self) -> bool {
        let is_there = |marker: &std::path::Path| self.root.path(marker).exists();
        self.options.trust_clock || self.options.clock_markers.iter().any(|marker| is_there(marker))
    }

    /// Whether programs below the root may run: tests with a root of their own have no box.
    pub(crate) fn program(&self, path: &str) -> Option<String> {
        let program = self.root.path(path);
        program.is_file().then(|| program.display().to_string())
    }
}
