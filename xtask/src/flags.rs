//! The command line: every job and every flag, in one place.

use lexopt::prelude::*;

pub(crate) const HELP: &str = "\
What the project does with itself.

cargo xtask <job> [flags]

  demo                  the agent at work: a development ACS and a sandbox box, message by message
    --keep                leaves both running to play with
  test                  all tests that this machine can run; what was skipped and how to enable it
  build                 the program as it ships (profile small), stripped, checked, smoke run and sized
    --target TRIPLE       cross-compile, for example mipsel-unknown-linux-musl; without it: for this machine
    --platform openwrt    as OpenWrt's package has it; with --target
    --debug               this machine only: a quick development build, no checks
    --setup               install what is missing (implied by CI=true)
    --bless REASON        accept the new size: rewrites the target's line in docs/size-ratchet.tsv
  package               the program and what OpenWrt wants around it, as a file that opkg installs
    --format ipk          the form of the package
    --platform openwrt    for whom
    --target TRIPLE       what is built; mipsel-unknown-linux-musl where nothing is said
    --arch NAME           OpenWrt's name of the processor, where it is not the usual one of the target
    --program FILE        packs this program and builds none
    --setup               install what is missing (implied by CI=true)
  interop acsrs         test against acsrs, an ACS from the Rust crate registry
  interop nginx         test transfers of files and https against nginx
  interop coturn        test connection requests through a NAT, with coturn as STUN server
  interop prosody       test connection requests over XMPP against prosody
  interop libuci        test UCI files against libuci's own command
    --setup               build and install what is missing (implied by CI=true)
  bench                 time, memory, writes and size of the program as it ships, against the development ACS
    --quick               fewer rounds, as in ci
    --against PROGRAM     measures another build in turns with it and prints the ratios
    --setup               install what is missing (implied by CI=true)
  simulate              the agent against random worlds in virtual time; the last line counts the broken ones
    --seeds N             that many worlds (10,000 where nothing is said)
    --from S              beginning with this seed
    --seed X              this one alone, with its story
  powercut              a whole scenario, cut after every operation of the disk; the last line counts the broken cut points
    --seeds N             that many scenarios (5 where nothing is said)
    --from S              beginning with this seed
    --only POINT          SEED:OPERATION:DISK alone, with its story
  fuzz                  random bytes for whatever parses bytes of others; the last line counts the targets that failed
    --seconds N           so long for each target (20 where nothing is said)
    --minutes N           the same in minutes
    --target NAME         this one alone
    --setup               install what is missing (implied by CI=true)
  conformance           which requirements of TR-069 a passing test shows; writes docs/conformance.md
    --check               compares the page instead of writing it
    --quiet               prints the last line only
  lint                  formatting, clippy and documentation, warnings as errors
  tidy                  the project's own rules: layering, file sizes, forbidden words
  deny                  licences, sources and duplicates of all dependencies (cargo-deny)
  features              every platform feature builds alone, and none at all is refused
  datamodel             makes the facts file of cwmp-datamodel from the TR-181 table
    --check               compares instead of writing
  ci                    everything, each part within its budget of minutes; installs what it needs under CI=true
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Job {
    Help,
    Bench(Bench),
    Build(Build),
    Ci,
    Conformance(Conformance),
    Datamodel { check: bool },
    Demo(Demo),
    Deny,
    Features,
    Fuzz(Fuzz),
    Interop(Interop),
    Lint,
    Package(Package),
    Powercut(Powercut),
    Simulate(Simulate),
    Test,
    Tidy,
}

/// Flags of `bench`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Bench {
    pub(crate) quick: bool,
    pub(crate) setup: bool,
    /// Another build of the program.
    pub(crate) against: Option<String>,
}

/// Flags of `build`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Build {
    pub(crate) target: Option<String>,
    pub(crate) debug: bool,
    /// With what OpenWrt's package holds, not with the usual features.
    pub(crate) openwrt: bool,
    pub(crate) setup: bool,
    pub(crate) bless: Option<String>,
}

/// Flags of `conformance`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Conformance {
    pub(crate) check: bool,
    pub(crate) quiet: bool,
}

/// Flags of `demo`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Demo {
    pub(crate) keep: bool,
}

/// Flags of `fuzz`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fuzz {
    /// For each target.
    pub(crate) seconds: Option<u64>,
    pub(crate) target: Option<String>,
    pub(crate) setup: bool,
}

/// Flags of `interop`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Interop {
    pub(crate) peer: Peer,
    pub(crate) setup: bool,
}

/// What somebody else wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Acsrs,
    Nginx,
    Coturn,
    Prosody,
    Libuci,
}

/// Flags of `package`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) target: Option<String>,
    pub(crate) arch: Option<String>,
    pub(crate) program: Option<String>,
    pub(crate) setup: bool,
}

/// Flags of `simulate`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Simulate {
    pub(crate) seeds: Option<u64>,
    pub(crate) from: u64,
    pub(crate) seed: Option<u64>,
}

/// Flags of `powercut`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Powercut {
    pub(crate) seeds: Option<u64>,
    pub(crate) from: u64,
    /// A cut point, as the program prints it.
    pub(crate) only: Option<String>,
}

pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Job, lexopt::Error> {
    let job = match args.next()? {
        None | Some(Short('h') | Long("help")) => return Ok(Job::Help),
        Some(Value(job)) => job.string()?,
        Some(other) => return Err(other.unexpected()),
    };
    let job = match job.as_str() {
        "help" => Job::Help,
        "bench" => return bench(args),
        "build" => return build(args),
        "ci" => Job::Ci,
        "conformance" => return conformance(args),
        "datamodel" => return datamodel(args),
        "demo" => return demo(args),
        "deny" => Job::Deny,
        "features" => Job::Features,
        "fuzz" => return fuzz(args),
        "interop" => return interop(args),
        "lint" => Job::Lint,
        "package" => return package(args),
        "powercut" => return powercut(args),
        "simulate" => return simulate(args),
        "test" => Job::Test,
        "tidy" => Job::Tidy,
        other => return Err(format!("there is no job `{other}`").into()),
    };
    match args.next()? {
        None => Ok(job),
        Some(Short('h') | Long("help")) => Ok(Job::Help),
        Some(other) => Err(other.unexpected()),
    }
}

fn conformance(mut args: lexopt::Parser) -> Result<Job, lexopt::Error> {
    let mut conformance = Conformance::default();
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Job::Help),
            Long("check") => conformance.check = true,
            Long("quiet") => conformance.quiet = true,
            other => return Err(other.unexpected()),
        }
    }
    Ok(Job::Conformance(conformance))
}

fn datamodel(mut args: lexopt::Parser) -> Result<Job, lexopt::Error> {
    let mut check = false;
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Job::Help),
            Long("check") => check = true,
            other => return Err(other.unexpected()),
        }
    }
    Ok(Job::Datamodel { check })
}

fn demo(mut args: lexopt::Parser) -> Result<Job, lexopt::Error> {
    let mut demo = Demo::default();
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Job::Help),
            Long("keep") => demo.keep = true,
            other => return Err(other.unexpected()),
        }
    }
    Ok(Job::Demo(demo))
}

fn bench(mut args: lexopt::Parser) -> Result<Job, lexopt::Error> {
    let mut bench = Bench::default();
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Job::Help),
            Long("quick") => bench.quick = true,
            Long("setup") => bench.setup = true,
            Long("against") => bench.against = Some(args.value()?.string()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Job::Bench(bench))
}

fn build(mut args: lexopt::Parser) -> Result<Job, lexopt::Error> {
    let mut build = Build::default();
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Job::Help),
            Long("target") => build.target = Some(args.value()?.string()?),
            Long("debug") => build.debug = true,
            Long("platform") => {
                only(&args.value()?.string()?, "openwrt")?;
                build.openwrt = true;
            }
            Long("setup") => build.setup = true,
            Long("bless") => build.bless = Some(args.value()?.string()?),
            other => return Err(other.unexpected()),
        }
    }
    if build.debug && (build.target.is_some() || build.bless.is_some()) {
        return Err("--debug goes with neither --target nor --bless".into());
    }
    if build.openwrt && build.target.is_none() {
        return Err("--platform needs --target: the usual build for this machine has no such form".into());
    }
    Ok(Job::Build(build))
}

fn fuzz(mut args: lexopt::Parser) -> Result<Job, lexopt::Error> {
    let mut fuzz = Fuzz::default();
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Job::Help),
            Long("seconds") => fuzz.seconds = Some(args.value()?.parse()?),
            Long("minutes") => fuzz.seconds = Some(args.value()?.parse::<u64>()?.saturating_mul(60)),
            Long("target") => fuzz.target = Some(args.value()?.string()?),
            Long("setup") => fuzz.setup = true,
            other => return Err(other.unexpected()),
        }
    }
    if fuzz.seconds == Some(0) {
        return Err("the time of a target is at least a second".into());
    }
    Ok(Job::Fuzz(fuzz))
}

fn interop(mut args: lexopt::Parser) -> Result<Job, lexopt::Error> {
    let (mut setup, mut named) = (false, None);
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Job::Help),
            Long("setup") => setup = true,
            Value(peer) if named.is_none() && peer == "acsrs" => named = Some(Peer::Acsrs),
            Value(peer) if named.is_none() && peer == "nginx" => named = Some(Peer::Nginx),
            Value(peer) if named.is_none() && peer == "coturn" => named = Some(Peer::Coturn),
            Value(peer) if named.is_none() && peer == "prosody" => named = Some(Peer::Prosody),
            Value(peer) if named.is_none() && peer == "libuci" => named = Some(Peer::Libuci),
            other => return Err(other.unexpected()),
        }
    }
    match named {
        Some(peer) => Ok(Job::Interop(Interop { peer, setup })),
        None => Err("interop with what? There are: acsrs, coturn, libuci, nginx, prosody".into()),
    }
}

fn only(given: &str, there: &str) -> Result<(), lexopt::Error> {
    if given == there { Ok(()) } else { Err(format!("there is only {there}, not {given}").into()) }
}

fn package(mut args: lexopt::Parser) -> Result<Job, lexopt::Error> {
    let mut package = Package::default();
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Job::Help),
            Long("format") => only(&args.value()?.string()?, "ipk")?,
            Long("platform") => only(&args.value()?.string()?, "openwrt")?,
            Long("target") => package.target = Some(args.value()?.string()?),
            Long("arch") => package.arch = Some(args.value()?.string()?),
            Long("program") => package.program = Some(args.value()?.string()?),
            Long("setup") => package.setup = true,
            other => return Err(other.unexpected()),
        }
    }
    Ok(Job::Package(package))
}

fn simulate(mut args: lexopt::Parser) -> Result<Job, lexopt::Error> {
    let mut simulate = Simulate::default();
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Job::Help),
            Long("seeds") => simulate.seeds = Some(args.value()?.parse()?),
            Long("from") => simulate.from = args.value()?.parse()?,
            Long("seed") => simulate.seed = Some(args.value()?.parse()?),
            other => return Err(other.unexpected()),
        }
    }
    if simulate.seed.is_some() && (simulate.seeds.is_some() || simulate.from != 0) {
        return Err("--seed goes with neither --seeds nor --from".into());
    }
    Ok(Job::Simulate(simulate))
}

fn powercut(mut args: lexopt::Parser) -> Result<Job, lexopt::Error> {
    let mut powercut = Powercut::default();
    while let Some(arg) = args.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Job::Help),
            Long("seeds") => powercut.seeds = Some(args.value()?.parse()?),
            Long("from") => powercut.from = args.value()?.parse()?,
            Long("only") => powercut.only = Some(args.value()?.string()?),
            other => return Err(other.unexpected()),
        }
    }
    if powercut.only.is_some() && (powercut.seeds.is_some() || powercut.from != 0) {
        return Err("--only goes with neither --seeds nor --from".into());
    }
    Ok(Job::Powercut(powercut))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<Job, String> {
        let words = std::iter::once("xtask").chain(words.split_whitespace());
        parse(lexopt::Parser::from_iter(words)).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_and_help_print_the_help() {
        for words in ["", "help", "-h", "--help", "build --help", "ci -h", "interop -h"] {
            assert_eq!(parsed(words), Ok(Job::Help), "{words}");
        }
    }

    #[test]
    fn flags_reach_their_job() {
        let build =
            Build { target: Some("mipsel-unknown-linux-musl".into()), setup: true, ..Build::default() };
        assert_eq!(parsed("build --target mipsel-unknown-linux-musl --setup"), Ok(Job::Build(build)));
        let build = Build { target: Some("t".into()), openwrt: true, ..Build::default() };
        assert_eq!(parsed("build --target t --platform openwrt"), Ok(Job::Build(build)));
        assert!(parsed("build --platform openwrt").is_err() && parsed("build --platform x").is_err());
        let bench = Bench { quick: true, against: Some("old/cwmpd".into()), ..Bench::default() };
        assert_eq!(parsed("bench --quick --against old/cwmpd"), Ok(Job::Bench(bench)));
        let interop = |peer, setup| Ok(Job::Interop(Interop { peer, setup }));
        assert_eq!(parsed("interop acsrs --setup"), interop(Peer::Acsrs, true));
        assert_eq!(parsed("interop nginx"), interop(Peer::Nginx, false));
        assert_eq!(parsed("interop coturn"), interop(Peer::Coturn, false));
        assert_eq!(parsed("interop prosody"), interop(Peer::Prosody, false));
    }

    #[test]
    fn a_package_is_for_one_target() {
        let package = Package {
            target: Some("t".into()),
            arch: Some("mips_74kc".into()),
            program: Some("p".into()),
            setup: false,
        };
        let words = "package --format ipk --platform openwrt --target t --arch mips_74kc --program p";
        assert_eq!(parsed(words), Ok(Job::Package(package)));
        assert!(parsed("package --target t --format deb").unwrap_err().contains("only ipk"));
    }

    #[test]
    fn seeds_are_given_as_a_range_or_as_one() {
        let range = Simulate { seeds: Some(5), from: 7, seed: None };
        assert_eq!(parsed("simulate --seeds 5 --from 7"), Ok(Job::Simulate(range)));
        let one = Simulate { seed: Some(9), ..Simulate::default() };
        assert_eq!(parsed("simulate --seed 9"), Ok(Job::Simulate(one)));
        assert!(parsed("simulate --seed 9 --from 1").is_err() && parsed("simulate --seeds x").is_err());
    }

    #[test]
    fn cut_points_are_given_by_seeds_or_as_one() {
        let range = Powercut { seeds: Some(2), from: 1, only: None };
        assert_eq!(parsed("powercut --seeds 2 --from 1"), Ok(Job::Powercut(range)));
        let one = Powercut { only: Some("1:20:crash".into()), ..Powercut::default() };
        assert_eq!(parsed("powercut --only 1:20:crash"), Ok(Job::Powercut(one)));
        assert!(parsed("powercut --only 1:20:3 --seeds 2").is_err());
    }

    #[test]
    fn a_fuzz_target_has_its_time_in_seconds_or_minutes() {
        let fuzz = Fuzz { seconds: Some(120), target: Some("ini".into()), setup: false };
        assert_eq!(parsed("fuzz --minutes 2 --target ini"), Ok(Job::Fuzz(fuzz)));
        let fuzz = Fuzz { seconds: Some(20), target: None, setup: true };
        assert_eq!(parsed("fuzz --seconds 20 --setup"), Ok(Job::Fuzz(fuzz)));
        assert!(parsed("fuzz --seconds 0").is_err() && parsed("fuzz ini").is_err());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for words in
            ["bild", "--ci", "ci now", "build mips", "build --debug --target x", "interop", "interop x"]
        {
            assert!(parsed(words).is_err(), "{words}");
        }
    }

    #[test]
    fn the_help_names_every_job() {
        for job in [
            "bench",
            "build",
            "ci",
            "conformance",
            "datamodel",
            "demo",
            "deny",
            "features",
            "fuzz",
            "interop acsrs",
            "interop coturn",
            "interop prosody",
            "interop nginx",
            "interop libuci",
            "lint",
            "package",
            "powercut",
            "simulate",
            "test",
            "tidy",
        ] {
            assert!(HELP.lines().any(|line| line.starts_with(&format!("  {job} "))), "{job}");
            assert!(parsed(job).is_ok(), "{job}");
        }
    }
}
