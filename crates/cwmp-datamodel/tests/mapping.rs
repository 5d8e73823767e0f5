//! Mapping files in the tree: read in bulk, set all or nothing, rows with stable numbers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

mod common;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, HashSet},
    rc::Rc,
    time::Duration,
};

use async_trait::async_trait;
use common::{Bench, KEY, entries};
use cwmp_core::rpc::Status;
use cwmp_datamodel::{
    DataModel,
    mapping::{Compiled, MappedSource},
};
use cwmp_platform::{
    instances::InstanceNumbers,
    mapping::{FieldChange, FieldProvider, Mapping, MappingHost, Question, Row, RowsOf},
    source::{ParameterSource, SourceError},
};

/// Files and programs in memory.
#[derive(Default)]
struct Machine {
    files: RefCell<BTreeMap<String, String>>,
    reads: RefCell<Vec<String>>,
    /// What each program writes; a missing one cannot run.
    programs: RefCell<BTreeMap<String, Result<String, String>>>,
    runs: RefCell<Vec<String>>,
    read_only: RefCell<BTreeSet<String>>,
    /// How long each program runs.
    takes: Cell<Duration>,
}

impl Machine {
    fn file(&self, path: &str, text: &str) {
        self.files.borrow_mut().insert(path.to_owned(), text.to_owned());
    }

    fn content(&self, path: &str) -> Option<String> {
        self.files.borrow().get(path).cloned()
    }

    fn program(&self, path: &str, output: Result<&str, &str>) {
        let output = output.map(str::to_owned).map_err(str::to_owned);
        self.programs.borrow_mut().insert(path.to_owned(), output);
    }

    fn runs(&self) -> Vec<String> {
        self.runs.take()
    }
}

#[async_trait(?Send)]
impl MappingHost for Machine {
    fn text(&self, path: &str) -> Option<String> {
        self.reads.borrow_mut().push(path.to_owned());
        self.content(path)
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let files = self.files.borrow();
        let below = files.keys().filter_map(|path| path.strip_prefix(folder)?.strip_prefix('/'));
        let names: BTreeSet<String> =
            below.filter_map(|rest| Some(rest.split('/').next()?.to_owned())).collect();
        names.into_iter().rev().collect()
    }

    fn can_write(&self, path: &str) -> bool {
        !self.read_only.borrow().contains(path)
    }

    fn can_run(&self, program: &str) -> bool {
        self.programs.borrow().contains_key(program)
    }

    async fn write(&self, path: &str, text: Option<&str>) -> Result<(), String> {
        match text {
            Some(text) => self.file(path, text),
            None => drop(self.files.borrow_mut().remove(path)),
        }
        Ok(())
    }

    async fn output(&self, command: &[String], limit: Duration) -> Result<String, String> {
        self.runs.borrow_mut().push(command.join("|"));
        tokio::time::sleep(self.takes.get().min(limit)).await;
        if self.takes.get() > limit {
            return Err("took too long".to_owned());
        }
        self.programs.borrow()[&command[0]].clone()
    }
}

/// Rows with fields.
#[derive(Default)]
struct Fields {
    name: &'static str,
    rows: RefCell<Vec<(String, BTreeMap<String, String>)>>,
    questions: RefCell<Vec<Vec<Question>>>,
    set: RefCell<Vec<FieldChange>>,
    refuses: Cell<bool>,
}

impl Fields {
    fn row(&self, key: &str, fields: &[(&str, &str)]) {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.rows.borrow_mut().push((key.to_owned(), fields));
    }
}

#[async_trait(?Send)]
impl FieldProvider for Fields {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn read(&self, questions: &[Question]) -> Result<Vec<Vec<Row>>, SourceError> {
        self.questions.borrow_mut().push(questions.to_vec());
        let rows = self.rows.borrow();
        let answer = |question: &Question| {
            let row = |key: &str| {
                let known = rows.iter().find(|(known, _)| known == key);
                let field = |field: &String| known.and_then(|(_, fields)| fields.get(field).cloned());
                Row { key: key.to_owned(), values: question.fields.iter().map(field).collect() }
            };
            match &question.rows {
                RowsOf::Single => vec![row("")],
                RowsOf::Selected { .. } => rows.iter().map(|(key, _)| row(key)).collect(),
                RowsOf::Keys(keys) => keys.iter().map(|key| row(key)).collect(),
            }
        };
        Ok(questions.iter().map(answer).collect())
    }

    async fn set(&self, changes: &[FieldChange]) -> Result<Status, SourceError> {
        if self.refuses.get() {
            return Err(SourceError::new("busy"));
        }
        self.set.borrow_mut().extend(changes.iter().cloned());
        Ok(Status::Committed)
    }
}

/// The box of the tests with mapping files.
struct Mapped {
    bench: Bench,
    host: Rc<Machine>,
    netdev: Rc<Fields>,
    sysfs: Rc<Fields>,
    numbers: Rc<InstanceNumbers>,
}

impl Mapped {
    fn new(text: &str) -> Self {
        let mut mapped = Self {
            bench: Bench::new(),
            host: Rc::default(),
            netdev: Rc::new(Fields { name: "netdev", ..Fields::default() }),
            sysfs: Rc::new(Fields { name: "sysfs", ..Fields::default() }),
            numbers: Rc::new(InstanceNumbers::in_memory()),
        };
        mapped.load(text);
        mapped
    }

    fn load(&mut self, text: &str) {
        let providers: Vec<Rc<dyn FieldProvider>> = vec![self.netdev.clone(), self.sysfs.clone()];
        let mapping = Mapping { texts: &[], host: self.host.clone(), providers };
        let (mut compiled, errors) = Compiled::of(&[("test.map", text)], &["netdev", "sysfs"]);
        assert_eq!(errors, []);
        let others: Vec<&str> =
            self.bench.own.objects().iter().chain(self.bench.system.objects()).copied().collect();
        assert_eq!(compiled.leave_out_clashes(&others, &HashSet::new()), []);
        let source = MappedSource::new(compiled, &mapping, self.numbers.clone(), &others);
        let sources: Vec<Rc<dyn ParameterSource>> =
            vec![self.bench.own.clone(), self.bench.system.clone(), Rc::new(source)];
        self.bench.model = DataModel::new(sources, self.bench.shelf.clone());
    }
}

const INTERFACES: &str = "
[Device.Ethernet.Interface.{i}.]  rows = netdev(kind=ethernet)  key = name
Name            = key
MACAddress      = sysfs(address) | mac
Upstream        = text(false)
Stats.BytesSent = netdev(tx)
X_ACME_Note: string = file(/notes/{key})

[Device.Ethernet.]
WoLSupported = sysfs(wol) | bool
";

#[tokio::test]
async fn rows_and_fields_come_from_providers_asked_once() {
    let mut mapped = Mapped::new(INTERFACES);
    mapped.netdev.row("eth0", &[("tx", "18446744073709551615")]);
    mapped.netdev.row("eth1", &[]);
    mapped.sysfs.row("", &[("wol", "no")]);
    mapped.sysfs.row("eth0", &[("address", "00:1a:2b:3c:4d:5e\n")]);
    mapped.sysfs.row("eth1", &[("address", "nonsense")]);
    mapped.host.file("/notes/eth0", "to the roof\n");
    let values = mapped.bench.values(&["Device.Ethernet."]).await.unwrap();
    let values: Vec<String> = values.iter().map(|(name, value)| format!("{}={value}", &name[16..])).collect();
    assert_eq!(
        values,
        [
            "WoLSupported=false",
            "InterfaceNumberOfEntries=2",
            "Interface.1.Alias=cpe-1",
            "Interface.1.Name=eth0",
            "Interface.1.Upstream=false",
            "Interface.1.MACAddress=00:1A:2B:3C:4D:5E",
            "Interface.1.X_ACME_Note=to the roof",
            "Interface.1.Stats.BytesSent=18446744073709551615",
            "Interface.2.Alias=cpe-2",
            "Interface.2.Name=eth1",
            "Interface.2.Upstream=false",
        ]
    );
    let netdev = mapped.netdev.questions.take();
    assert_eq!(netdev.len(), 1, "{netdev:?}");
    let selected = RowsOf::Selected { arguments: vec!["kind=ethernet".into()], key: "name".into() };
    assert_eq!(netdev[0], [Question { rows: selected, fields: vec!["tx".into()] }]);
    // Once for the box, once for the rows that netdev has found.
    let sysfs = mapped.sysfs.questions.take();
    assert_eq!(sysfs.len(), 2, "{sysfs:?}");
    assert_eq!(sysfs[1][0].rows, RowsOf::Keys(vec!["eth0".into(), "eth1".into()]));

    // What nobody wants is not asked for.
    mapped.bench.values(&["Device.Ethernet.Interface.1.Name"]).await.unwrap();
    assert!(mapped.sysfs.questions.take().is_empty());
    assert_eq!(mapped.netdev.questions.take()[0][0].fields, [""; 0]);
}

#[tokio::test]
async fn a_row_that_comes_back_has_its_number() {
    let mut mapped = Mapped::new(INTERFACES);
    mapped.netdev.row("eth0", &[]);
    mapped.netdev.row("usb0", &[]);
    let rows = "Device.Ethernet.Interface.";
    assert_eq!(mapped.bench.names(rows, true).await.unwrap().len(), 2);
    let gone = mapped.netdev.rows.borrow_mut().remove(0);
    mapped.netdev.row("wan", &[]);
    let names = mapped.bench.names(rows, true).await.unwrap();
    assert_eq!(names, ["Device.Ethernet.Interface.2.", "Device.Ethernet.Interface.3."]);
    mapped.netdev.rows.borrow_mut().push(gone);
    // The program starts anew, on the numbers that were kept.
    mapped.load(INTERFACES);
    assert_eq!(mapped.bench.value("Device.Ethernet.Interface.1.Name").await, "eth0");
    assert_eq!(mapped.bench.value("Device.Ethernet.Interface.3.Name").await, "wan");
}

#[tokio::test]
async fn each_file_and_program_is_read_once_for_a_call() {
    let mut mapped = Mapped::new(
        "
[Device.DeviceInfo.MemoryStatus.]
Total = file(/proc/meminfo) | key(MemTotal) | kib
Free  = file(/proc/meminfo) | key(MemFree) | kib
[Device.DeviceInfo.]
X_ACME_Load: decimal = command(/bin/load, -a) | column(1)
X_ACME_Runs: unsignedInt = command(/bin/load, -a) | column(2)
X_ACME_Odd: unsignedInt = command(/bin/load, -a) | column(3)
X_ACME_Gone: string = command(/bin/gone)
",
    );
    mapped.host.file("/proc/meminfo", "MemTotal:  4030124 kB\nMemFree:  5 kB\n");
    mapped.host.program("/bin/load", Ok("0.50 7 -\n"));
    let values = mapped.bench.values(&["Device.DeviceInfo."]).await.unwrap();
    let value = |name: &str| {
        let found = values.iter().find(|(known, _)| known.ends_with(name));
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(value("MemoryStatus.Total"), Some("4030124"));
    assert_eq!(value("MemoryStatus.Free"), Some("5"));
    assert_eq!((value("X_ACME_Load"), value("X_ACME_Runs")), (Some("0.5"), Some("7")));
    assert_eq!((value("X_ACME_Odd"), value("X_ACME_Gone")), (None, None));
    assert_eq!(mapped.host.reads.take(), ["/proc/meminfo"]);
    assert_eq!(mapped.host.runs(), ["/bin/load|-a"]);
}

#[tokio::test]
async fn a_program_that_fails_leaves_its_parameters_out() {
    let mut mapped = Mapped::new("[Device.Time.]\nNTPServer2 = command(/bin/ntp)\nNTPServer3 = text(c)");
    mapped.host.program("/bin/ntp", Err("/bin/ntp ended with exit status 1"));
    assert_eq!(mapped.bench.values(&["Device.Time.NTPServer2"]).await, Err(9005));
    assert_eq!(mapped.bench.value("Device.Time.NTPServer3").await, "c");
}

/// Conformance: 4.30
#[tokio::test]
async fn a_vendors_parameter_behaves_like_those_of_the_standard() {
    let text = "
[Device.DeviceInfo.]
X_ACME_Colour: string = file(/etc/colour)  set = file(/etc/colour)  reload = command(/bin/paint, --now)
X_ACME_Level: int = ini(/etc/acme.ini, Lamp, level)  set = ini(/etc/acme.ini, Lamp, level)
[Device.X_ACME_Lamp.]
On: boolean = text(true)
";
    let mut mapped = Mapped::new(text);
    mapped.host.file("/etc/colour", "red\n");
    mapped.host.file("/etc/acme.ini", "# ours\n[Lamp]\nlevel = 3\n");
    mapped.host.program("/bin/paint", Ok(""));
    let (colour, level) = ("Device.DeviceInfo.X_ACME_Colour", "Device.DeviceInfo.X_ACME_Level");
    let infos = mapped.bench.infos("Device.DeviceInfo.", true).await.unwrap();
    assert!(infos.contains(&(colour.to_owned(), true)), "{infos:?}");
    let objects = mapped.bench.infos("Device.", true).await.unwrap();
    assert!(objects.contains(&("Device.X_ACME_Lamp.".to_owned(), false)), "{objects:?}");
    assert_eq!(mapped.bench.value("Device.X_ACME_Lamp.On").await, "true");

    // Beside a parameter of the standard in the same object, from another source.
    let code = "Device.DeviceInfo.ProvisioningCode";
    let done = mapped.bench.set(&[(colour, "dark blue"), (code, "gold"), (level, "+07")], "second").await;
    assert_eq!(done, Ok(Status::Applied));
    assert_eq!(mapped.bench.value(colour).await, "dark blue");
    assert_eq!(mapped.bench.value(level).await, "7");
    assert_eq!(mapped.bench.value(code).await, "gold");
    assert_eq!(mapped.bench.value(KEY).await, "second");
    assert_eq!(mapped.host.content("/etc/colour").unwrap(), "dark blue\n");
    assert_eq!(mapped.host.content("/etc/acme.ini").unwrap(), "# ours\n[Lamp]\nlevel = 7\n");
    assert_eq!(mapped.host.runs(), ["/bin/paint|--now"]);

    let fault =
        mapped.bench.set(&[(level, "high"), (colour, "a\nb"), ("Device.X_ACME_Lamp.On", "0")], "k").await;
    assert_eq!(entries(&fault.unwrap_err()), [(level, 9007), ("Device.X_ACME_Lamp.On", 9008)]);
    // A line break passes the type and not the file.
    let fault = mapped.bench.set(&[(colour, "a\nb")], "k").await;
    assert_eq!(entries(&fault.unwrap_err()), [(colour, 9007)]);
    mapped.bench.watch(&[(colour, 2)]).await.unwrap();
    assert_eq!(mapped.bench.attributes(&[colour]).await.unwrap(), [(colour.to_owned(), 2, true)]);
}

/// Conformance: 4.31
#[tokio::test]
async fn a_command_reads_as_false_and_acts_once() {
    let text = "[Device.UserInterface.]\nPasswordReset = text(false)  set = command(/bin/reset, {value})";
    let mut mapped = Mapped::new(text);
    mapped.host.program("/bin/reset", Ok("done"));
    let reset = "Device.UserInterface.PasswordReset";
    assert_eq!(mapped.bench.set(&[(reset, "true")], "k").await, Ok(Status::Applied));
    assert_eq!(mapped.bench.value(reset).await, "false");
    assert_eq!(mapped.host.runs(), ["/bin/reset|true"]);
    assert_eq!(mapped.bench.set(&[(reset, "0")], "k").await, Ok(Status::Applied));
    assert_eq!(mapped.host.runs(), [""; 0]);
    // When something else of the call fails, it does not act a second time to be taken back.
    mapped.bench.own.fails_to_apply.set(true);
    assert!(mapped.bench.set(&[(reset, "1")], "k").await.is_err());
    assert_eq!(mapped.host.runs(), ["/bin/reset|true"]);
}

const SETTABLE: &str = "
[Device.Ethernet.Interface.{i}.]  rows = netdev(kind=ethernet)
Enable = netdev(up) | bool  set = netdev(up)
[Device.DeviceInfo.]
HostName = file(/etc/hostname)  set = file(/etc/hostname)  reload = command(/bin/hostname, -F, /etc/hostname)
[Device.Time.]
NTPServer3 = ini(/etc/ntp, Time, NTP)  set = ini(/etc/ntp, Time, NTP)  reload = command(/bin/hostname, -F, /etc/hostname)
NTPServer4 = command(/bin/get)  set = command(/bin/set, --, {value})
";

async fn settable() -> Mapped {
    let mapped = Mapped::new(SETTABLE);
    mapped.netdev.row("eth0", &[("up", "1")]);
    mapped.host.file("/etc/hostname", "old\n");
    for program in ["/bin/hostname", "/bin/get", "/bin/set"] {
        mapped.host.program(program, Ok("before"));
    }
    mapped
}

#[tokio::test]
async fn a_set_reaches_files_providers_and_programs() {
    let mut mapped = settable().await;
    let enable = "Device.Ethernet.Interface.1.Enable";
    assert_eq!(mapped.bench.value(enable).await, "true");
    mapped.host.runs();
    let values = [
        ("Device.Time.NTPServer4", "-x; rm {key}"),
        ("Device.DeviceInfo.HostName", "new"),
        ("Device.Time.NTPServer3", "ntp"),
        (enable, "false"),
    ];
    // NTPServer3 has no value yet, and so it is not there.
    assert_eq!(
        entries(&mapped.bench.set(&values, "k").await.unwrap_err()),
        [("Device.Time.NTPServer3", 9005)]
    );
    mapped.host.file("/etc/ntp", "[Time]\nNTP=\n");
    mapped.host.runs();
    assert_eq!(mapped.bench.set(&values, "k").await, Ok(Status::Committed));
    assert_eq!(mapped.host.content("/etc/hostname").unwrap(), "new\n");
    assert_eq!(mapped.host.content("/etc/ntp").unwrap(), "[Time]\nNTP=ntp\n");
    let change = FieldChange { key: "eth0".into(), field: "up".into(), value: "0".into() };
    assert_eq!(mapped.netdev.set.take(), [change]);
    let runs = mapped.host.runs();
    let runs: Vec<&str> =
        runs.iter().map(String::as_str).filter(|run| !run.starts_with("/bin/get")).collect();
    // The value is one argument, whatever it holds; what reloads runs once, and last.
    assert_eq!(runs, ["/bin/set|--|-x; rm {key}", "/bin/hostname|-F|/etc/hostname"]);
}

#[tokio::test]
async fn a_failure_puts_everything_back() {
    let mut mapped = settable().await;
    mapped.host.file("/etc/ntp", "[Time]\nNTP=a\n");
    mapped.host.program("/bin/hostname", Err("/bin/hostname ended with exit status 1"));
    let enable = "Device.Ethernet.Interface.1.Enable";
    mapped.bench.value(enable).await;
    let values = [
        ("Device.Time.NTPServer4", "after"),
        ("Device.DeviceInfo.HostName", "new"),
        ("Device.Time.NTPServer3", "b"),
        (enable, "false"),
    ];
    let fault = mapped.bench.set(&values, "k").await.unwrap_err();
    assert_eq!(
        (fault.code.0, fault.text.as_str()),
        (9002, "source mapping: /bin/hostname ended with exit status 1")
    );
    assert_eq!(mapped.host.content("/etc/hostname").unwrap(), "old\n");
    assert_eq!(mapped.host.content("/etc/ntp").unwrap(), "[Time]\nNTP=a\n");
    let set: Vec<String> = mapped.netdev.set.take().into_iter().map(|change| change.value).collect();
    assert_eq!(set, ["0", "1"]);
    let runs = mapped.host.runs();
    let runs: Vec<&str> =
        runs.iter().map(String::as_str).filter(|run| !run.starts_with("/bin/get")).collect();
    let reload = "/bin/hostname|-F|/etc/hostname";
    assert_eq!(runs, ["/bin/set|--|after", reload, "/bin/set|--|before", reload]);
    assert_eq!(mapped.bench.value(KEY).await, "first");

    // A provider that refuses: no program has run.
    mapped.netdev.refuses.set(true);
    assert!(mapped.bench.set(&values, "k").await.unwrap_err().text.contains("busy"));
    assert_eq!(mapped.host.content("/etc/hostname").unwrap(), "old\n");
    let runs = mapped.host.runs();
    assert!(runs.iter().all(|run| run == "/bin/get"), "{runs:?}");
}

#[tokio::test]
async fn what_this_box_cannot_write_reads_as_read_only() {
    let mut mapped = settable().await;
    let writable = |infos: Vec<(String, bool)>| infos[0].1;
    assert!(writable(mapped.bench.infos("Device.DeviceInfo.HostName", false).await.unwrap()));
    mapped.host.read_only.borrow_mut().insert("/etc/hostname".into());
    assert!(!writable(mapped.bench.infos("Device.DeviceInfo.HostName", false).await.unwrap()));
    mapped.host.programs.borrow_mut().remove("/bin/set");
    let server = "Device.Time.NTPServer4";
    assert!(!writable(mapped.bench.infos(server, false).await.unwrap()));
    let fault = mapped.bench.set(&[(server, "x")], "k").await.unwrap_err();
    assert_eq!(entries(&fault), [(server, 9008)]);
}

#[tokio::test]
async fn rows_are_the_entries_of_a_folder() {
    let text = "
[Device.DeviceInfo.TemperatureStatus.TemperatureSensor.{i}.]  rows = entries(/sys/class/thermal, thermal_zone)
Name   = file(/sys/class/thermal/{key}/type)
Value  = file(/sys/class/thermal/{key}/temp) | milli
Enable = text(true)
";
    let mut mapped = Mapped::new(text);
    for (zone, name, temp) in
        [("thermal_zone0", "cpu", "45500"), ("thermal_zone1", "modem", "-300000"), ("cooling0", "fan", "1")]
    {
        mapped.host.file(&format!("/sys/class/thermal/{zone}/type"), &format!("{name}\n"));
        mapped.host.file(&format!("/sys/class/thermal/{zone}/temp"), &format!("{temp}\n"));
    }
    let values = mapped.bench.values(&["Device.DeviceInfo.TemperatureStatus."]).await.unwrap();
    let values: Vec<String> = values.iter().map(|(name, value)| format!("{}={value}", &name[36..])).collect();
    assert_eq!(
        values,
        [
            "TemperatureSensorNumberOfEntries=2",
            "TemperatureSensor.1.Alias=cpe-1",
            "TemperatureSensor.1.Enable=true",
            "TemperatureSensor.1.Name=cpu",
            "TemperatureSensor.1.Value=45",
            "TemperatureSensor.2.Alias=cpe-2",
            "TemperatureSensor.2.Enable=true",
            "TemperatureSensor.2.Name=modem",
        ],
        "less than absolute zero is no temperature"
    );
}

#[tokio::test]
async fn the_origin_of_a_parameter_is_its_line() {
    let mapped = Mapped::new(INTERFACES);
    mapped.netdev.row("eth0", &[]);
    let names = ["eth0"];
    mapped.numbers.assign("Device.Ethernet.Interface.", names, 8);
    let source = &mapped.bench.model;
    let origin = source.origin("Device.Ethernet.Interface.1.MACAddress");
    assert_eq!(origin.as_deref(), Some("test.map:4: MACAddress      = sysfs(address) | mac"));
    assert_eq!(source.origin("Device.Ethernet.Interface.2.MACAddress"), None);
    assert_eq!(source.origin("Device.Ethernet.Interface.1.Name.x"), None);
}

#[tokio::test(start_paused = true)]
async fn slow_programs_do_not_take_the_time_of_the_whole_call() {
    let text = "
[Device.Ethernet.Interface.{i}.]  rows = keys(a, b, c, d)
X_ACME_Speed: string = command(/bin/slow, {key})
[Device.DeviceInfo.]
X_ACME_Colour: string = text(red)
";
    let mut mapped = Mapped::new(text);
    mapped.host.program("/bin/slow", Ok("fast"));
    mapped.host.takes.set(Duration::from_secs(4));
    let values = mapped.bench.values(&["Device."]).await.unwrap();
    let found: Vec<&str> =
        values.iter().filter(|(name, _)| name.contains("X_ACME")).map(|(name, _)| name.as_str()).collect();
    let rows = [1, 2].map(|row| format!("Device.Ethernet.Interface.{row}.X_ACME_Speed"));
    assert_eq!(
        found,
        ["Device.DeviceInfo.X_ACME_Colour", &rows[0], &rows[1]],
        "the third is cut, the fourth not begun"
    );
}
