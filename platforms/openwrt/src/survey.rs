//! Everything that is looked up for one call of the ACS, each thing once: answers of the bus, packages of the configuration,
//! lists of the kernel, files.
//!
//! Parts ask for what they need when they need it; who asks second gets what the first one got. So a call for the whole tree
//! costs one call a method and object of the bus, and one reading a file, however many parameters come of it. Nothing is kept
//! from one call of the ACS to the next ([`crate::ground::Ground::forget`]).

use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use cwmp_linux::{
    files::Root,
    kernel::{Address, Link, Neighbour, Route, Station, Wifi},
    leases::{self, Lease},
    moment::Moment,
};
use cwmp_platform::source::SourceError;
use cwmp_ubus::{Table, json::to_json};
use cwmp_uci::{Package, UciError};

use crate::{bus::is_absent, ground::Ground, layout::Layout, limits, network::Network};

type Known<T> = Result<T, SourceError>;

/// What is looked up for one call.
pub(crate) struct Survey {
    ground: Rc<Ground>,
    answers: RefCell<BTreeMap<String, Known<Option<Rc<Table>>>>>,
    packages: RefCell<BTreeMap<String, Known<Rc<Package>>>>,
    files: RefCell<BTreeMap<String, Option<Rc<str>>>>,
    links: OnceCell<Known<Rc<[Link]>>>,
    addresses: OnceCell<Known<Rc<[Address]>>>,
    routes: OnceCell<Known<Rc<[Route]>>>,
    neighbours: OnceCell<Known<Rc<[Neighbour]>>>,
    stations: OnceCell<Known<Rc<[Station]>>>,
    leases: OnceCell<Rc<[Lease]>>,
    wifi: OnceCell<Known<Rc<Wifi>>>,
    network: RefCell<Option<Known<Rc<Network>>>>,
    layout: RefCell<Option<Known<Rc<Layout>>>>,
}

impl Survey {
    pub(crate) fn new(ground: Rc<Ground>) -> Self {
        Self {
            ground,
            answers: RefCell::default(),
            packages: RefCell::default(),
            files: RefCell::default(),
            links: OnceCell::new(),
            addresses: OnceCell::new(),
            routes: OnceCell::new(),
            neighbours: OnceCell::new(),
            stations: OnceCell::new(),
            leases: OnceCell::new(),
            wifi: OnceCell::new(),
            network: RefCell::default(),
            layout: RefCell::default(),
        }
    }

    pub(crate) fn ground(&self) -> &Rc<Ground> {
        &self.ground
    }

    pub(crate) fn root(&self) -> &Root {
        &self.ground.root
    }

    pub(crate) fn moment(&self) -> Moment {
        self.ground.moment()
    }

    /// What a method without arguments answers; `None` where there is no such object, method or answer.
    ///
    /// # Errors
    /// [`SourceError`]: the bus or the service does not answer. What it would have said is not known, so the call of the ACS
    /// fails rather than showing a box without it.
    pub(crate) async fn ubus(&self, object: &str, method: &str) -> Known<Option<Rc<Table>>> {
        self.ubus_with(object, method, &Table::new()).await
    }

    /// The same with arguments.
    pub(crate) async fn ubus_with(
        &self,
        object: &str,
        method: &str,
        arguments: &Table,
    ) -> Known<Option<Rc<Table>>> {
        let key = match arguments.is_empty() {
            true => format!("{object} {method}"),
            false => format!("{object} {method} {}", to_json(arguments)),
        };
        if let Some(known) = self.answers.borrow().get(&key) {
            return known.clone();
        }
        if self.answers.borrow().len() >= limits::ANSWERS {
            return Err(SourceError::new(format!(
                "more than {} calls of the bus for one call",
                limits::ANSWERS
            )));
        }
        let answer = match self.ground.bus.call(object, method, arguments).await {
            Ok(tables) => Ok(tables.into_iter().next().map(Rc::new)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(SourceError::new(error.to_string())),
        };
        self.answers.borrow_mut().insert(key, answer.clone());
        answer
    }

    /// A package of the configuration; an empty one where there is no such file.
    ///
    /// # Errors
    /// [`SourceError`] names file, line and reason.
    pub(crate) async fn uci(&self, package: &str) -> Known<Rc<Package>> {
        if let Some(known) = self.packages.borrow().get(package) {
            return known.clone();
        }
        let (uci, name) = (self.ground.uci.clone(), package.to_owned());
        // It may wait for the lock of another program.
        let loaded = tokio::task::spawn_blocking(move || uci.load(&name)).await;
        let loaded = match loaded {
            Ok(Ok(package)) => Ok(Rc::new(package)),
            Ok(Err(UciError::Missing { .. })) => {
                let empty = Package::parse(package, b"");
                empty.map(Rc::new).map_err(|error| SourceError::new(error.reason))
            }
            Ok(Err(error)) => Err(SourceError::new(error.to_string())),
            Err(error) => Err(SourceError::new(format!("reading {package} broke off: {error}"))),
        };
        self.packages.borrow_mut().insert(package.to_owned(), loaded.clone());
        loaded
    }

    /// The text of a file below the root; `None` where it can't be read.
    pub(crate) fn text(&self, path: &str) -> Option<Rc<str>> {
        if let Some(known) = self.files.borrow().get(path) {
            return known.clone();
        }
        let text: Option<Rc<str>> = self.ground.root.text(path).map(Into::into);
        self.files.borrow_mut().insert(path.to_owned(), text.clone());
        text
    }

    /// Network devices.
    pub(crate) fn links(&self) -> Known<Rc<[Link]>> {
        self.links.get_or_init(|| listed(self.ground.kernel.links())).clone()
    }

    /// IPv4 and IPv6 addresses of the box.
    pub(crate) fn addresses(&self) -> Known<Rc<[Address]>> {
        self.addresses.get_or_init(|| listed(self.ground.kernel.addresses())).clone()
    }

    /// Routes of the main table.
    pub(crate) fn routes(&self) -> Known<Rc<[Route]>> {
        self.routes.get_or_init(|| listed(self.ground.kernel.routes())).clone()
    }

    /// Hosts that the box has talked to.
    pub(crate) fn neighbours(&self) -> Known<Rc<[Neighbour]>> {
        self.neighbours.get_or_init(|| listed(self.ground.kernel.neighbours())).clone()
    }

    /// Behind which port of a bridge a host is.
    pub(crate) fn stations(&self) -> Known<Rc<[Station]>> {
        self.stations.get_or_init(|| listed(self.ground.kernel.stations())).clone()
    }

    /// Leases that the DHCP servers of the box have given.
    pub(crate) fn leases(&self) -> Rc<[Lease]> {
        Rc::clone(self.leases.get_or_init(|| leases::read(&self.ground.root).into()))
    }

    /// Radios and wireless interfaces, with clients and noise.
    pub(crate) fn wifi(&self) -> Known<Rc<Wifi>> {
        let look = || self.ground.kernel.wifi(true).map(Rc::new).map_err(SourceError::new);
        self.wifi.get_or_init(look).clone()
    }

    /// The logical interfaces, with their rows in the tree.
    pub(crate) async fn network(&self) -> Known<Rc<Network>> {
        if let Some(known) = self.network.borrow().as_ref() {
            return known.clone();
        }
        let network = Network::look(self).await.map(Rc::new);
        self.network.replace(Some(network.clone()));
        network
    }

    /// Which network device is which row.
    pub(crate) async fn layout(&self) -> Known<Rc<Layout>> {
        if let Some(known) = self.layout.borrow().as_ref() {
            return known.clone();
        }
        let layout = Layout::look(self).await.map(Rc::new);
        self.layout.replace(Some(layout.clone()));
        layout
    }

    /// The numbers of the rows of a table, in the order of their keys; see
    /// [`cwmp_platform::instances::InstanceNumbers::assign`]. The caller bounds the rows.
    pub(crate) fn numbers<'k>(
        &self,
        table: &str,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> Vec<Option<u32>> {
        self.ground.numbers.assign(table, keys, limits::REMEMBERED)
    }

    /// The key of a row.
    pub(crate) fn key(&self, table: &str, number: u32) -> Option<String> {
        self.ground.numbers.key(table, number)
    }
}

fn listed<T>(list: Result<Vec<T>, String>) -> Known<Rc<[T]>> {
    list.map(Into::into).map_err(SourceError::new)
}
