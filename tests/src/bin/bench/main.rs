//! `cargo xtask bench`: what the agent costs in time, memory, storage and size. docs/benchmark.md says what each figure
//! means.
//!
//! The real program runs as a process of its own against the development ACS, which lives in this process: what the ACS
//! computes does not count towards the agent. Two programs are measured in turns, so that both see the same noise.

mod figures;
mod subject;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use figures::{Cell, Series, Table, shown};
use subject::{Answer, Load, MAPPED, Start, Subject, TABLE};

/// What an order of magnitude too much would exceed. Times hold on a busy machine too, so they are generous.
mod limits {
    use std::time::Duration;

    /// Most memory over idle in a read of 1,000 parameters, in KiB.
    pub(crate) const PEAK_KIB: u64 = 1024;
    /// Most processor time for each parameter of it.
    pub(crate) const PARAMETER_CPU: Duration = Duration::from_micros(100);
    /// Most processor time of a session in which nothing happens.
    pub(crate) const SESSION_CPU: Duration = Duration::from_millis(20);
    /// Most processor time from the start to the end of the first session.
    pub(crate) const START_CPU: Duration = Duration::from_millis(500);
    /// Most that the processor time of a parameter may grow, in percent, when twenty times as many are read.
    pub(crate) const GROWTH_PERCENT: u128 = 130;
    /// Most memory over what was resident before it in such a read, in percent of the bytes of its values.
    pub(crate) const PEAK_PERCENT: u64 = 250;
    /// Most that the heap keeps after all of these reads, in KiB: it stops growing once its holes have every size.
    pub(crate) const KEPT_KIB: u64 = 1024;
    /// Most memory at rest, in KiB.
    pub(crate) const IDLE_KIB: u64 = 8 * 1024;
}

/// Rows of [`TABLE`] that make a box large: four parameters each.
const ROWS: u32 = 250;
/// Rows of [`MAPPED`] of a box and of one twenty times as large: twenty parameters each.
const FEW: u32 = 50;
const MANY: u32 = 1000;
/// What is read of the large box: 250 rows of four.
const THOUSAND: [&str; 1] = [TABLE];

const PEERS: &str = "\
Other agents, for orientation: measured on ANOTHER DAY on an x86_64 machine of 2 busy cores, plain HTTP, C with -Os,
median (best) of 9 sessions, ordered over ubus. Their whole trees and data models differ; half of two of them is a stub.

                                          EasyCwmp 1.8.6  icwmp 2020 +   icwmp 2022,     ucwmp 2020,
                                                          libbbfdm       data stubbed    data stubbed
bare session, CPU                         75 ms (63)      5.9 ms (3.5)   2.3 ms (1.4)    4.2 ms (2.8)
bare session, accept to 204               1.3 ms (0.8)    0.66 ms (0.34) 0.63 ms (0.30)  45 ms
whole-tree read, net CPU a parameter      6.7 ms          16 us (12.6)   10 us           6.7 us
start to the first session's end, CPU     1,070 ms        47 ms          18 ms           6 ms
idle RSS / PSS, threads                   3.6/2.2 MB, 1   8.1/6.8 MB, 11 8.0/6.6 MB, 12  1.9/0.76 MB, 1
peak PSS in a whole-tree read             5.4 MB          7.7 MB         7.5 MB          2.3 MB
program and libraries other than libc     1.79 MB         7.7 MB         6.75 MB         0.37 MB, no TLS
";

struct Options {
    quick: bool,
    folder: PathBuf,
    programs: Vec<PathBuf>,
}

/// How often each thing is done.
struct Rounds {
    starts: usize,
    sessions: usize,
    reads: usize,
}

fn main() -> ExitCode {
    let mut options = Options { quick: false, folder: "target/bench".into(), programs: Vec::new() };
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "--quick" => options.quick = true,
            program => options.programs.push(program.into()),
        }
    }
    if !(1..=2).contains(&options.programs.len()) {
        eprintln!("usage: bench [--quick] PROGRAM [OTHER PROGRAM]");
        return ExitCode::from(2);
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&[error.to_string()]),
    };
    match runtime.block_on(bench(&options)) {
        Ok(wrong) if wrong.is_empty() => ExitCode::SUCCESS,
        Ok(wrong) => failed(&wrong),
        Err(error) => failed(&[error]),
    }
}

fn failed(errors: &[String]) -> ExitCode {
    for error in errors {
        eprintln!("bench: FAILED: {error}");
    }
    ExitCode::FAILURE
}

/// What was measured of one program.
#[derive(Default)]
struct Figures {
    bytes: u64,
    start_wall: Series<Duration>,
    start_cpu: Series<Duration>,
    idle_rss: Series<u64>,
    idle_pss: Series<u64>,
    idle_anonymous: Series<u64>,
    threads: Series<u64>,
    session_cpu: Series<Duration>,
    since_order: Series<Duration>,
    since_inform: Series<Duration>,
    written: u64,
    touched: Vec<String>,
    large: Read,
    tree: Read,
    few: Read,
    many: Read,
}

/// Reads of many parameters in one call.
#[derive(Default)]
struct Read {
    answer: Option<Answer>,
    time: Series<Duration>,
    /// Of whole sessions with the read, and of sessions without it on the same box.
    cpu: Series<Duration>,
    bare_cpu: Series<Duration>,
    first_peak: Option<u64>,
    peak: Series<u64>,
    /// The most that any read had above what was resident before it, in KiB.
    over_idle: u64,
    /// Resident before the first read, and how much more before the last one: what the heap keeps, in KiB.
    idle: Option<u64>,
    kept: u64,
}

impl Figures {
    fn started(&mut self, start: &Start) {
        self.start_wall.push(start.wall);
        self.start_cpu.push(start.cpu);
        self.idle_rss.push(start.idle.rss_kib);
        self.idle_pss.push(start.idle.pss_kib);
        self.idle_anonymous.push(start.idle.anonymous_kib);
        self.threads.push(start.threads);
    }
}

impl Read {
    async fn once(&mut self, subject: &Subject, names: &[&str]) -> Result<(), String> {
        let (session, answer, [before, most]) = subject.read_watched(names).await?;
        let peak = most.saturating_sub(before);
        self.over_idle = self.over_idle.max(peak);
        self.kept = before.saturating_sub(*self.idle.get_or_insert(before));
        // The very first read touches pages of the program and of the heap that later ones find in place.
        match self.first_peak {
            None => self.first_peak = Some(peak),
            Some(_) => {
                self.time.push(answer.time);
                self.cpu.push(session.cpu);
                self.peak.push(peak);
                self.bare_cpu.push(subject.session().await?.cpu);
            }
        }
        self.answer = Some(answer);
        Ok(())
    }

    /// Processor time of the read itself: that of a session with it less that of one without.
    fn net_cpu(&self) -> Option<Duration> {
        Some(self.cpu.median()?.saturating_sub(self.bare_cpu.median()?))
    }

    /// Memory over idle in percent of the bytes of the values.
    fn peak_percent(&self) -> Option<u64> {
        let bytes = u64::try_from(self.answer.as_ref()?.value_bytes).ok()?;
        (self.over_idle * 1024 * 100).checked_div(bytes)
    }

    fn parameter_time(&self) -> Option<Duration> {
        self.time.median()?.checked_div(u32::try_from(self.answer.as_ref()?.parameters).ok()?)
    }

    fn parameter_cpu(&self) -> Option<Duration> {
        self.net_cpu()?.checked_div(u32::try_from(self.answer.as_ref()?.parameters).ok()?)
    }
}

async fn bench(options: &Options) -> Result<Vec<String>, String> {
    let rounds = match options.quick {
        true => Rounds { starts: 2, sessions: 100, reads: 5 },
        false => Rounds { starts: 7, sessions: 1_000, reads: 50 },
    };
    std::fs::create_dir_all(&options.folder).map_err(|e| format!("{}: {e}", options.folder.display()))?;
    let folder = options.folder.canonicalize().map_err(|e| format!("{}: {e}", options.folder.display()))?;
    let mut figures = Vec::new();
    for program in &options.programs {
        let facts = std::fs::metadata(program).map_err(|e| format!("{}: {e}", program.display()))?;
        figures.push(Figures { bytes: facts.len(), ..Figures::default() });
    }
    starts(&options.programs, &folder, &rounds, &mut figures).await?;
    sessions(&options.programs, &folder, &rounds, &mut figures).await?;
    reads(&options.programs, &folder, &rounds, &mut figures).await?;
    scale(&options.programs, &folder, &rounds, &mut figures).await?;
    print(&options.programs, &rounds, &figures);
    Ok(figures.iter().flat_map(|figures| wrong(figures, &rounds)).collect())
}

/// New boxes up to the end of their first session.
async fn starts(
    programs: &[PathBuf],
    folder: &Path,
    rounds: &Rounds,
    figures: &mut [Figures],
) -> Result<(), String> {
    for round in 0..rounds.starts {
        for (program, figures) in in_turns(round, programs, figures) {
            let (subject, start) = Subject::start(program, &folder.join("new"), Load::None).await?;
            figures.started(&start);
            subject.stop()?;
        }
    }
    Ok(())
}

/// Sessions that change nothing, on a box that has only what every box has.
async fn sessions(
    programs: &[PathBuf],
    folder: &Path,
    rounds: &Rounds,
    figures: &mut [Figures],
) -> Result<(), String> {
    let subjects = boxes(programs, &folder.join("small"), Load::None).await?;
    let mut before = Vec::new();
    for subject in &subjects {
        // What the first periodic Inform of a box's life records is no wear.
        subject.session().await?;
        before.push(subject.storage()?);
    }
    for round in 0..rounds.sessions {
        for (subject, figures) in in_turns(round, &subjects, figures) {
            let session = subject.session().await?;
            figures.session_cpu.push(session.cpu);
            figures.since_order.push(session.since_order);
            figures.since_inform.push(session.since_inform);
        }
    }
    for ((subject, figures), before) in subjects.iter().zip(figures.iter_mut()).zip(&before) {
        let after = subject.storage()?;
        figures.written = after.written_since(before);
        figures.touched = after.touched_since(before);
    }
    for round in 0..=rounds.reads {
        for (subject, figures) in in_turns(round, &subjects, figures) {
            figures.tree.once(subject, &["Device."]).await?;
        }
    }
    subjects.into_iter().try_for_each(Subject::stop)
}

/// Reads of 1,000 parameters, on a box that has them.
async fn reads(
    programs: &[PathBuf],
    folder: &Path,
    rounds: &Rounds,
    figures: &mut [Figures],
) -> Result<(), String> {
    let subjects = boxes(programs, &folder.join("large"), Load::Inform(ROWS)).await?;
    for round in 0..=rounds.reads {
        for (subject, figures) in in_turns(round, &subjects, figures) {
            figures.large.once(subject, &THOUSAND).await?;
        }
    }
    subjects.into_iter().try_for_each(Subject::stop)
}

/// Reads of 1,000 parameters beside reads of 20,000 of the same kind.
async fn scale(
    programs: &[PathBuf],
    folder: &Path,
    rounds: &Rounds,
    figures: &mut [Figures],
) -> Result<(), String> {
    let few = boxes(programs, &folder.join("few"), Load::Mapped(FEW)).await?;
    let many = boxes(programs, &folder.join("many"), Load::Mapped(MANY)).await?;
    // What is kept of the rows as long as the program runs (their numbers), and the pages of the program itself, are no
    // part of an answer: idle is a box that has been asked for one of them.
    for subject in few.iter().chain(&many) {
        subject.read(&[&format!("{MAPPED}1.Enable")]).await?;
    }
    for round in 0..=rounds.reads {
        for (subject, figures) in in_turns(round, &few, figures) {
            figures.few.once(subject, &[MAPPED]).await?;
        }
        for (subject, figures) in in_turns(round, &many, figures) {
            figures.many.once(subject, &[MAPPED]).await?;
        }
    }
    few.into_iter().chain(many).try_for_each(Subject::stop)
}

/// Programs or boxes with their figures, every other round the other way round: none is always the first.
fn in_turns<'a, S>(
    round: usize,
    subjects: &'a [S],
    figures: &'a mut [Figures],
) -> Vec<(&'a S, &'a mut Figures)> {
    let mut pairs: Vec<_> = subjects.iter().zip(figures).collect();
    if round % 2 == 1 {
        pairs.reverse();
    }
    pairs
}

/// A running box for each program.
async fn boxes(programs: &[PathBuf], folder: &Path, load: Load) -> Result<Vec<Subject>, String> {
    let mut subjects = Vec::new();
    for (number, program) in programs.iter().enumerate() {
        subjects.push(Subject::start(program, &folder.join(number.to_string()), load).await?.0);
    }
    Ok(subjects)
}

/// One of the reads among the figures.
type Of = fn(&Figures) -> &Read;

fn print(programs: &[PathBuf], rounds: &Rounds, figures: &[Figures]) {
    let names: Vec<String> = match programs {
        [_] => vec!["median (best)".to_owned()],
        _ => ["first", "second"].map(str::to_owned).to_vec(),
    };
    let mut table = Table::new(&names);
    let mut row = |what: &str, cell: &dyn Fn(&Figures) -> Cell| {
        table.row(what, figures.iter().map(cell).collect());
    };
    row("program, bytes", &|f| Cell::count(f.bytes, ""));
    row("start to the first session's end, wall", &|f| Cell::time(&f.start_wall));
    row("start to the first session's end, CPU", &|f| Cell::time(&f.start_cpu));
    row("idle RSS", &|f| Cell::kib(&f.idle_rss));
    row("idle PSS", &|f| Cell::kib(&f.idle_pss));
    row("idle anonymous memory", &|f| Cell::kib(&f.idle_anonymous));
    row("idle threads", &|f| Cell::count(f.threads.median().unwrap_or(0), ""));
    row("bare session, CPU", &|f| Cell::time(&f.session_cpu));
    row("bare session, order to 204", &|f| Cell::time(&f.since_order));
    row("bare session, Inform to 204", &|f| Cell::time(&f.since_inform));
    let unchanged = format!("{} sessions without a change, bytes written", rounds.sessions);
    row(&unchanged, &|f| Cell::count(f.written, ""));
    row(&format!("{} sessions without a change, files touched", rounds.sessions), &|f| {
        Cell::count(u64::try_from(f.touched.len()).unwrap_or(u64::MAX), "")
    });
    let large: Of = |figures| &figures.large;
    let tree: Of = |figures| &figures.tree;
    let few: Of = |figures| &figures.few;
    let many: Of = |figures| &figures.many;
    for (title, of) in [
        ("large read", large),
        ("whole tree of a small box", tree),
        ("mapped table", few),
        ("twenty times as large", many),
    ] {
        let answer = |f: &Figures, count: fn(&Answer) -> usize| {
            let count = of(f).answer.as_ref().map_or(0, count);
            Cell::count(u64::try_from(count).unwrap_or(u64::MAX), "")
        };
        let time = |time: Option<Duration>| time.map_or_else(|| Cell::text("-"), Cell::duration);
        row(&format!("{title}: parameters"), &|f| answer(f, |a| a.parameters));
        row("  envelope, bytes", &|f| answer(f, |a| a.bytes));
        row("  values, bytes", &|f| answer(f, |a| a.value_bytes));
        row("  request to answer", &|f| Cell::time(&of(f).time));
        row("  the same a parameter", &|f| time(of(f).parameter_time()));
        row("  CPU of the session", &|f| Cell::time(&of(f).cpu));
        row("  net CPU a parameter", &|f| time(of(f).parameter_cpu()));
        row("  peak memory over idle", &|f| Cell::kib(&of(f).peak));
        row("  the same, first read", &|f| Cell::count(of(f).first_peak.unwrap_or(0), "KiB"));
        row("  kept by the heap after all reads", &|f| Cell::count(of(f).kept, "KiB"));
        row("  most over idle, of the values' bytes", &|f| {
            Cell::count(of(f).peak_percent().unwrap_or(0), "%")
        });
    }
    if programs.len() > 1 {
        for (name, program) in names.iter().zip(programs) {
            println!("{name}: {}", program.display());
        }
    }
    println!(
        "{} starts, {} sessions, {} reads; median (best)\n\n{table}\n{PEERS}",
        rounds.starts,
        rounds.sessions,
        figures.first().map_or(0, |figures| figures.large.time.len())
    );
}

/// What is not as it must be: storage that was written to, and figures that are wrong by an order of magnitude.
fn wrong(figures: &Figures, rounds: &Rounds) -> Vec<String> {
    let mut wrong = Vec::new();
    if figures.written > 0 || !figures.touched.is_empty() {
        wrong.push(format!(
            "{} sessions that change nothing have written {} bytes and touched {:?}",
            rounds.sessions, figures.written, figures.touched
        ));
    }
    let mut time = |what: &str, is: Option<Duration>, limit: Duration| {
        if is.is_none_or(|is| is > limit) {
            let is = is.map_or_else(|| "missing".to_owned(), shown);
            wrong.push(format!("{what}: {is}, the limit is {}", shown(limit)));
        }
    };
    time("processor time of a bare session", figures.session_cpu.median(), limits::SESSION_CPU);
    time("processor time of a start", figures.start_cpu.median(), limits::START_CPU);
    time("processor time of one parameter", figures.large.parameter_cpu(), limits::PARAMETER_CPU);
    let mut memory = |what: &str, is: Option<u64>, limit: u64| {
        if is.is_none_or(|is| is > limit) {
            wrong.push(format!("{what}: {is:?} KiB, the limit is {limit} KiB"));
        }
    };
    memory("memory over idle in a large read", figures.large.peak.median(), limits::PEAK_KIB);
    memory("memory over idle in the first large read", figures.large.first_peak, limits::PEAK_KIB);
    memory("memory kept after reads of 20,000", Some(figures.many.kept), limits::KEPT_KIB);
    memory("memory at rest", figures.idle_rss.median(), limits::IDLE_KIB);
    for (what, read, count) in [
        ("large read", &figures.large, 1_000),
        ("read of the mapped table", &figures.few, 1_000),
        ("read of one twenty times as large", &figures.many, 20_000),
    ] {
        let is = read.answer.as_ref().map_or(0, |answer| answer.parameters);
        if is != count {
            wrong.push(format!("the {what} is one of {is} parameters, not {count}"));
        }
    }
    let growth = figures.few.parameter_cpu().zip(figures.many.parameter_cpu());
    let growth = growth.and_then(|(few, many)| (many.as_nanos() * 100).checked_div(few.as_nanos()));
    let peak = figures.many.peak_percent().map(u128::from);
    for (what, is, limit) in [
        (
            "processor time of one parameter of 20,000, to that of one of 1,000",
            growth,
            limits::GROWTH_PERCENT,
        ),
        (
            "memory over idle in a read of 20,000, to the bytes of the values",
            peak,
            limits::PEAK_PERCENT.into(),
        ),
    ] {
        if is.is_none_or(|is| is > limit) {
            wrong.push(format!("{what}: {is:?} %, the limit is {limit} %"));
        }
    }
    wrong
}
