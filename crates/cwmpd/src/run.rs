//! Assembles the program: layers, configuration, platform, data model, state, and the loop over them.

use std::{future::Future, path::Path, rc::Rc, sync::Arc, time::Duration};

use cwmp_core::{
    io::{Abilities, BootCause, Start},
    stored::Stored,
};
use cwmp_datamodel::{
    DataModel,
    facts::{Facts, Place},
};
use cwmp_diagnostics::Diagnostics;
use cwmp_platform::{Platform, instances::InstanceNumbers};
use cwmp_store::{
    Problem, StateFile,
    durable::{Files, RealFiles},
};
use nix::unistd::User;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
};

#[cfg(feature = "ubus")]
use crate::bus;
use crate::{
    agent_source::AgentSource,
    attributes::{AttributeFile, owner},
    border,
    box_loop::{self, Parts},
    child::ProtocolProcess,
    config::{Config, Processes, SharedLayers},
    control::{Asked, ControlSocket, Request},
    discovery::{self, Ear},
    gateway_info::GatewayInfo,
    ledger::{Around, Ledger},
    log, mapping,
    news::News,
    numbers,
    opening::{self, Opened},
    others::Others,
    platforms, protocol,
    restart::{self, Departure, Mirror},
    store_task::Kept,
    udp_note::UdpNote,
};

/// Requests of the command line that wait for the loop.
const WAITING_REQUESTS: usize = 8;
/// Most threads for blocking calls.
const BLOCKING_THREADS: usize = 4;
/// How long the end of the program waits for a blocking call.
const LAST_CALLS: Duration = Duration::from_secs(2);

/// Runs the agent with the configuration in this folder until it is stopped or has to start again.
///
/// # Errors
/// What keeps it from starting, a sentence each.
pub(crate) fn run(config: &Path) -> Result<Departure, Vec<String>> {
    let runtime = runtime()?;
    let departure = tokio::task::LocalSet::new().block_on(&runtime, start(config));
    runtime.shutdown_timeout(LAST_CALLS);
    departure
}

/// One thread for everything, and some for blocking calls, which end when they are idle. More than one of those: name
/// resolution may hang.
///
/// # Errors
/// What the kernel refuses.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Vec<String>> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(Duration::from_secs(1))
        .build()
        .map_err(|error| vec![format!("no runtime: {error}")])
}

async fn start(folder: &Path) -> Result<Departure, Vec<String>> {
    let files = RealFiles::shared();
    let opened = opening::open(&files, folder).map_err(one)?;
    let others = Others::new(opened.watch());
    let Opened { layers, problems, .. } = opened;
    let (mut config, unknown) = Config::load(&layers).map_err(all)?;
    log::start(config.log_level);
    warn(&problems);
    warn(&unknown);
    let layers = Rc::new(SharedLayers::new(layers));
    if let Err(error) = config.keep_path(&layers, random()?) {
        tracing::error!("the path for connection requests cannot be kept: {error}");
    }
    let (numbers, problems) = numbers::of_state(&files, &config.state_dir).map_err(one)?;
    warn(&problems);
    let (platform, unknown) = platforms::choose(&config, &layers, &numbers, folder)?;
    warn(&unknown);
    let (asked, requests) = mpsc::channel(WAITING_REQUESTS);
    let socket = config.control_socket.clone();
    let bus_asked = asked.clone();
    let left = asked.clone();
    let _socket = ControlSocket::open(&socket, asked)
        .map_err(|error| vec![format!("control_socket {}: {error}", socket.display())])?;
    for announcement in discovery::pick_up(&socket) {
        // Nobody waits for the answer; what is wrong goes to the log.
        let (answer, _) = oneshot::channel();
        left.try_send(Asked { request: Request::Dhcp(announcement), answer }).ok();
    }
    drop(left);
    let (_bus, news) = on_the_bus(&layers, &*platform, &bus_asked)?;
    let mut parts = assemble(config, layers, platform, numbers, &files, requests).await?;
    parts.news = news;
    parts.others = others;
    parts.recover().await;
    let stop = stop_signal().map_err(one)?;
    match parts.config.processes().map_err(one)? {
        Processes::One { because } => {
            tracing::info!("one process does everything: {because}");
            Ok(together(parts, stop).await)
        }
        Processes::Two { user } => apart(parts, user.as_ref(), stop).await,
    }
}

/// Runs the protocol side in a process of its own.
async fn apart(
    parts: Parts,
    user: Option<&User>,
    stop: impl Future<Output = ()>,
) -> Result<Departure, Vec<String>> {
    let started = ProtocolProcess::start(&parts.begin(), user);
    let (end, process) =
        started.map_err(|error| vec![format!("the protocol process cannot be started: {error}")])?;
    let departure = box_loop::run(parts, end, restart::deaths(), stop).await;
    process.stop().await;
    Ok(departure)
}

/// Runs both sides in this process.
pub(crate) async fn together(parts: Parts, stop: impl Future<Output = ()>) -> Departure {
    let (ours, theirs) = border::inside();
    let protocol = tokio::task::spawn_local(protocol::driver::run(parts.begin(), theirs));
    let departure = box_loop::run(parts, ours, restart::deaths(), stop).await;
    protocol.abort();
    departure
}

/// The agent's object on the bus, and who tells it of sessions and transfers.
#[cfg(feature = "ubus")]
fn on_the_bus(
    layers: &SharedLayers,
    platform: &dyn Platform,
    asked: &mpsc::Sender<crate::control::Asked>,
) -> Result<(bus::OnTheBus, Option<News>), Vec<String>> {
    let (config, unknown) = bus::Config::load(&layers.borrow(), platform.name() == bus::HOME).map_err(all)?;
    warn(&unknown);
    let (news, told) = News::new();
    Ok((bus::OnTheBus::start(config, asked, told), Some(news)))
}

/// Without the feature `ubus` there is no bus.
#[cfg(not(feature = "ubus"))]
fn on_the_bus(
    _layers: &SharedLayers,
    _platform: &dyn Platform,
    _asked: &mpsc::Sender<crate::control::Asked>,
) -> Result<((), Option<News>), Vec<String>> {
    Ok(((), None))
}

/// Puts the parts together around a platform.
pub(crate) async fn assemble(
    config: Config,
    layers: Rc<SharedLayers>,
    platform: Rc<dyn Platform>,
    numbers: Rc<InstanceNumbers>,
    files: &Arc<dyn Files>,
    asked: mpsc::Receiver<crate::control::Asked>,
) -> Result<Parts, Vec<String>> {
    let facts = platform.device_facts().await.map_err(one)?;
    let (ear, forgotten) = Ear::new(config.dhcp.clone(), Rc::clone(&layers));
    if let Err(error) = forgotten {
        tracing::error!("what DHCP has told and may not any more is still in force: {error}");
    }
    let (source, problems) = AgentSource::new(Rc::clone(&layers), &facts.id, is_forced_inform);
    warn(&problems);
    if platform.software().is_some() {
        source.show_software();
    }
    let source = Rc::new(source);

    let open = |name: &str| config.state_dir.join(name);
    let (state_file, state, problems) =
        StateFile::<Stored>::open(Arc::clone(files), &open("state.json")).map_err(one)?;
    warn(&problems);
    let mut state = state.unwrap_or_default();
    let boot_id = platform.boot_id().await.map_err(one)?;
    let cause = if state.boot_id == boot_id { BootCause::AgentRestart } else { BootCause::Boot };
    let mirror = config.prozone.open().map(|zone| Mirror::start(zone, &mut state, cause, &boot_id));
    state.boot_id.clone_from(&boot_id);
    let (udp_note, problems) = UdpNote::open(files, &open("udp.json")).map_err(one)?;
    warn(&problems);
    let (attributes, problems) =
        AttributeFile::open(Arc::clone(files), &open("attributes.json"), owner(&facts.id)).map_err(one)?;
    warn(&problems);
    let mut sources = platform.sources();
    sources.push(Rc::clone(&source) as _);
    #[cfg(feature = "xmpp")]
    sources.push(Rc::new(crate::agent_source::xmpp::XmppSource::new(Rc::clone(&source))));
    sources.push(Rc::new(GatewayInfo { layers: Rc::clone(&layers) }));
    let diagnostics = Rc::new(diagnostics(&platform));
    sources.push(Rc::clone(&diagnostics) as _);
    let folder = layers.borrow().dir().to_owned();
    for error in mapping::add(&*platform, &folder, &numbers, &mut sources).await {
        tracing::error!("{error}: the file is not used");
    }
    let (ledger, problems) = Ledger::open(Around {
        layers: Rc::clone(&layers),
        source: Rc::clone(&source),
        platform: Rc::clone(&platform),
        files: Arc::clone(files),
        state_dir: config.state_dir.clone(),
        boot_id,
        owner: owner(&facts.id),
        confirm_ms: config.confirm_ms,
    })
    .map_err(one)?;
    warn(&problems);
    let ledger = Rc::new(ledger);
    let data = DataModel::new(sources, Rc::new(attributes))
        .with_addressing(source.addressing())
        .with_log(Rc::clone(&ledger) as _);

    let factory_reset = platform.can_factory_reset();
    let abilities = Abilities {
        reboot: true,
        factory_reset,
        https: cfg!(feature = "tls"),
        downloads: platform.download_types(),
        uploads: platform.upload_types(),
        software: platform.software().is_some(),
    };
    let image = platform.image_mark().await.unwrap_or_else(|error| {
        // The agent must run all the same: it is what the box is mended by.
        tracing::error!("the mark of the firmware is not known, its version serves: {error}");
        facts.software_version.clone()
    });
    let start = Start {
        device: facts.id,
        settings: source.settings(),
        state,
        cause,
        seed: u64::from_ne_bytes(random()?),
        abilities,
        image,
    };
    let kept = Kept { file: state_file, mirror };
    tracing::info!("cwmpd {} on {}", env!("CARGO_PKG_VERSION"), platform.name());
    let start = Box::new(start);
    let ear = Rc::new(ear);
    Ok(Parts {
        config,
        layers,
        platform,
        numbers,
        source,
        ear,
        data,
        ledger,
        diagnostics,
        kept,
        udp_note,
        start,
        asked,
        news: None,
        others: Others::default(),
    })
}

impl Parts {
    /// Finishes or undoes the change that an earlier run of the program has left, before anything else happens.
    pub(crate) async fn recover(&mut self) {
        if let Err(error) = self.ledger.recover(&mut self.data).await {
            tracing::error!("{error}");
        }
        self.start.settings = self.source.settings();
    }
}

/// The diagnostics, which find out from the platform what an `Interface` means.
fn diagnostics(platform: &Rc<dyn Platform>) -> Diagnostics {
    let platform = Rc::clone(platform);
    Diagnostics::new(Rc::new(move |row| platform.interface_name(row)))
}

/// Whether the model has a parameter in every Inform anyway.
fn is_forced_inform(name: &str) -> bool {
    match Facts::tr181().find(name) {
        Some(Place::Parameter(_, parameter)) => parameter.rule().is_forced_inform(),
        _ => false,
    }
}

fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("stopped by SIGTERM"),
            _ = interrupt.recv() => tracing::info!("stopped by SIGINT"),
        }
    })
}

fn random<const N: usize>() -> Result<[u8; N], Vec<String>> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| vec![format!("no random numbers: {error}")])?;
    Ok(bytes)
}

fn warn(problems: &[Problem]) {
    for problem in problems {
        tracing::warn!("{problem}");
    }
}

pub(crate) fn one(error: impl ToString) -> Vec<String> {
    vec![error.to_string()]
}

pub(crate) fn all(problems: Vec<Problem>) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}
