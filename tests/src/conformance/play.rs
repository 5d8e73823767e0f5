//! Plays a case on a stage, line by line. `tests/conformance/README.md` says what the lines mean.

use std::time::Duration;

use cwmp_core::{
    datetime::DateTime,
    io::{Input, LocalCommand},
    job::Diagnostic,
    rpc::{CommandKey, RequestDownload},
};

use super::{
    check, message,
    parse::{Case, Line, Wrong},
    stage::{Act, Post, Seen, Stage},
    transfers,
};

/// What is remembered from line to line.
#[derive(Default)]
struct Memory {
    /// ID of the agent's last request.
    request_id: Option<String>,
    /// Body of the agent's last POST.
    last: Vec<u8>,
    picture: Option<String>,
    disk: Option<String>,
}

/// Plays the case to its end.
///
/// # Errors
/// The first line that does not hold.
pub async fn play(case: &Case, stage: &mut impl Stage) -> Result<(), Wrong> {
    let mut memory = Memory::default();
    for line in &case.lines {
        let done = step(line, stage, &mut memory).await;
        done.map_err(|what| Wrong { file: case.file.clone(), line: line.number, what })?;
    }
    let last = case.lines.last().map_or(1, |line| line.number);
    quiet(stage).map_err(|what| Wrong {
        file: case.file.clone(),
        line: last,
        what: format!("after the end: {what}"),
    })
}

async fn step(line: &Line, stage: &mut impl Stage, memory: &mut Memory) -> Result<(), String> {
    let mut words = line.words.iter().map(String::as_str);
    let (verb, rest) = (words.next().unwrap_or_default(), line.words.get(1..).unwrap_or_default());
    match verb {
        "cpe" => return cpe(rest, stage, memory).await,
        "open" | "session" => {
            let mut inform = vec!["Inform".to_owned()];
            inform.extend_from_slice(rest);
            cpe(&inform, stage, memory).await?;
            said("acs InformResponse", stage, memory).await?;
            cpe(&["empty".to_owned()], stage, memory).await?;
            if verb == "session" { finish(stage, memory).await } else { Ok(()) }
        }
        "finish" => finish(stage, memory).await,
        "acs" => acs(line, stage, memory).await,
        "value" => value(rest, stage).await,
        "remember" => {
            memory.picture = Some(stage.picture().await?);
            memory.disk = Some(stage.disk()?);
            Ok(())
        }
        "unchanged" => {
            let before = memory.picture.as_ref().ok_or("nothing is remembered")?;
            same(before, &stage.picture().await?)
        }
        "unlogged" => match stage.log()? {
            log if rest.iter().any(|word| log.contains(word.as_str())) => {
                Err("the log of the program has it".to_owned())
            }
            _ => Ok(()),
        },
        "unwritten" => same(memory.disk.as_ref().ok_or("nothing is remembered")?, &stage.disk()?),
        _ => {
            quiet(stage)?;
            happens(verb, rest, stage).await
        }
    }
}

/// Nothing that the agent has done may go unmentioned.
fn quiet(stage: &impl Stage) -> Result<(), String> {
    match stage.waiting() {
        None => Ok(()),
        Some(seen) => {
            Err(format!("the agent has done something that the case does not expect: {}", shown(seen)))
        }
    }
}

async fn cpe(words: &[String], stage: &mut impl Stage, memory: &mut Memory) -> Result<(), String> {
    let expected = words.first().map_or("", String::as_str);
    if expected == "nothing" {
        return quiet(stage);
    }
    let mut seen =
        stage.next().await?.ok_or_else(|| format!("expected {expected}, the agent does nothing"))?;
    if expected == "Inform" && seen == Seen::Connect {
        seen = stage.next().await?.ok_or("the agent has connected and sends nothing")?;
    }
    let event = match expected {
        "connect" => Some(Seen::Connect),
        "close" => Some(Seen::Close),
        "restart" => Some(Seen::Restart),
        "factory-reset" => Some(Seen::FactoryReset),
        "stops" => Some(Seen::JobStopped),
        _ => None,
    };
    if let Some(event) = event {
        return if seen == event {
            Ok(())
        } else {
            Err(format!("expected {expected}, seen {}", shown(&seen)))
        };
    }
    if let ("datagram", Seen::Datagram(datagram)) = (expected, &seen) {
        return check::datagram(words.get(1..).unwrap_or_default(), datagram);
    }
    if let Seen::Job(job) = &seen {
        return check::job(words, job);
    }
    let Seen::Post(post) = seen else { return Err(format!("expected {expected}, seen {}", shown(&seen))) };
    if expected == "same" {
        let same = post.body == memory.last;
        return if same {
            Ok(())
        } else {
            Err(format!("expected the same POST again, seen {}", text(&post)))
        };
    }
    if let Some(id) = check::post(words, &post)? {
        memory.request_id = Some(id);
    }
    memory.last = post.body;
    Ok(())
}

async fn said(words: &str, stage: &mut impl Stage, memory: &mut Memory) -> Result<(), String> {
    let line = Line {
        number: 0,
        words: words.split(' ').map(str::to_owned).collect(),
        raw: words.to_owned(),
        text: String::new(),
    };
    acs(&line, stage, memory).await
}

async fn finish(stage: &mut impl Stage, memory: &mut Memory) -> Result<(), String> {
    said("acs 204", stage, memory).await?;
    cpe(&["close".to_owned()], stage, memory).await
}

async fn acs(line: &Line, stage: &mut impl Stage, memory: &Memory) -> Result<(), String> {
    quiet(stage)?;
    let act = match line.words.get(1).map(String::as_str) {
        Some("unreachable") => Act::Reachable(false),
        Some("reachable") => Act::Reachable(true),
        Some("drop") => Act::Drop,
        Some("silence") => Act::Silence,
        _ => return stage.reply(message::reply(line, memory.request_id.as_deref())?).await,
    };
    stage.act(&act).await.map(|_| ())
}

/// `value Name = text`, `value Name != text`: what somebody on the box sees.
async fn value(words: &[String], stage: &mut impl Stage) -> Result<(), String> {
    let [name, sign, wanted] = words else { return Err("it is `value NAME = TEXT`".to_owned()) };
    let values = stage.values(std::slice::from_ref(name)).await?;
    let (_, seen) = values.first().ok_or_else(|| format!("there is no {name}"))?;
    match (sign.as_str(), seen == wanted) {
        ("=", true) | ("!=", false) => Ok(()),
        ("=" | "!=", _) => Err(format!("expected {name} {sign} `{wanted}`, seen `{seen}`")),
        _ => Err("it is `value NAME = TEXT` or `value NAME != TEXT`".to_owned()),
    }
}

fn same(before: &str, now: &str) -> Result<(), String> {
    if before == now {
        return Ok(());
    }
    let gone = before.lines().filter(|line| !now.lines().any(|other| other == *line));
    let new = now.lines().filter(|line| !before.lines().any(|other| other == *line));
    let changes = gone.map(|line| format!("- {line}")).chain(new.map(|line| format!("+ {line}")));
    Err(format!("changed: {}", changes.take(6).collect::<Vec<_>>().join("; ")))
}

async fn happens(verb: &str, words: &[String], stage: &mut impl Stage) -> Result<(), String> {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let act = match (verb, word(0)) {
        ("wait", span) => {
            let (least, most) =
                span.split_once("..").map_or((span, None), |(least, most)| (least, Some(most)));
            Act::Wait(duration(least)?, most.map(duration).transpose()?)
        }
        ("clock", "unknown") => Act::Clock(None),
        ("clock", by) if by.starts_with(['+', '-']) => {
            let (sign, by) = by.split_at(1);
            let ms = i64::try_from(duration(by)?.as_millis()).map_err(|_| "too long")?;
            Act::ClockBy(if sign == "-" { -ms } else { ms })
        }
        ("clock", date) => match DateTime::parse(date) {
            Ok(DateTime::At(wall)) => Act::Clock(Some(wall.0)),
            _ => return Err(format!("`{date}` is no date")),
        },
        ("connection-request", "") => Act::ConnectionRequest,
        ("connection-request", "refused") => {
            return match stage.act(&Act::ConnectionRequest).await? {
                false => Ok(()),
                true => Err("the connection request was taken".to_owned()),
            };
        }
        ("box", "set") => {
            let (name, value) = word(1).split_once('=').ok_or("it is `box set NAME=VALUE`")?;
            let act = Act::Set(name.to_owned(), value.to_owned());
            return match (stage.act(&act).await?, word(2) == "refused") {
                (true, false) | (false, true) => Ok(()),
                (true, true) => Err(format!("{name} was set")),
                (false, false) => Err(format!("{name} could not be set")),
            };
        }
        ("box", "file") => file(words, true),
        ("box", "power-cut") => {
            match word(1).strip_prefix("image=") {
                Some(image) => drop(stage.act(&Act::Image(image.to_owned())).await?),
                None if words.len() > 1 => drop(stage.act(&file(words, false)).await?),
                None => {}
            }
            Act::PowerCut
        }
        ("box", "boots") => {
            if let Some(image) = word(1).strip_prefix("image=") {
                stage.act(&Act::Image(image.to_owned())).await?;
            }
            Act::Boots
        }
        ("box", "job") => Act::JobEnds(words.get(1..).unwrap_or_default().to_vec()),
        ("box", way @ ("download" | "upload")) => {
            let order = transfers::local(way == "download", words.get(1..).unwrap_or_default())?;
            tell(Input::Command(LocalCommand::Transfer(Box::new(order))))
        }
        ("box", "confirm") => {
            let key = CommandKey::new(word(1)).map_err(|error| error.to_string())?;
            tell(Input::Command(LocalCommand::ConfirmDownload(key)))
        }
        ("box", "request-download") => {
            let wanted = RequestDownload { file_type: word(1).to_owned(), args: Vec::new() };
            tell(Input::Command(LocalCommand::RequestDownload(Box::new(wanted))))
        }
        ("box", how @ ("idle" | "busy")) => tell(Input::BoxIdle(how == "idle")),
        ("box", "restart-failed") => tell(Input::RestartFailed("as the case wants".to_owned())),
        ("box", "diagnostic") => {
            let diagnostic = Diagnostic::IpPing;
            tell(match word(1) {
                "requested" => Input::DiagnosticRequested { diagnostic, by_acs: word(2) != "locally" },
                "withdrawn" => Input::DiagnosticWithdrawn(diagnostic),
                other => return Err(format!("a diagnostic is requested or withdrawn, not `{other}`")),
            })
        }
        ("box", "agent-restarts") => Act::AgentRestarts,
        ("box", "resets") => Act::Resets,
        ("box", "reboot") => Act::Reboot,
        ("box", "factory-reset") => Act::FactoryReset,
        ("box", "inform") => Act::Inform,
        ("box", "acs-methods") => Act::AcsMethods,
        _ => return Err(format!("`{verb} {}` is not understood", words.join(" "))),
    };
    match stage.act(&act).await? {
        true => Ok(()),
        false => Err("it was refused".to_owned()),
    }
}

fn tell(input: Input) -> Act {
    Act::Tell(Box::new(input))
}

/// `… PATH CONTENT`: a file of the system.
fn file(words: &[String], running: bool) -> Act {
    let word = |at: usize| words.get(at).cloned().unwrap_or_default();
    Act::File { path: word(1), content: word(2), running }
}

/// `500ms`, `30s`, `5m`, `2h`, `3d`, `1y`.
fn duration(text: &str) -> Result<Duration, String> {
    let at = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(at).unwrap_or((text, ""));
    let number: u64 = number.parse().map_err(|_| format!("`{text}` is no duration"))?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "y" => 365 * 86_400_000,
        _ => return Err(format!("`{text}` has no unit: ms, s, m, h, d or y")),
    };
    Ok(Duration::from_millis(number.saturating_mul(unit_ms)))
}

/// What was seen, in words.
#[must_use]
pub fn shown(seen: &Seen) -> String {
    match seen {
        Seen::Connect => "a connection".to_owned(),
        Seen::Post(post) => text(post),
        Seen::Datagram(datagram) => {
            let text = String::from_utf8_lossy(&datagram.bytes);
            format!("a datagram to {} port {}: {text}", datagram.host, datagram.port)
        }
        Seen::Job(job) => format!("that it {}", transfers::job(job).0),
        Seen::JobStopped => "that it stops its work".to_owned(),
        Seen::Close => "the end of the session".to_owned(),
        Seen::Restart => "a restart".to_owned(),
        Seen::FactoryReset => "a factory reset".to_owned(),
    }
}

fn text(post: &Post) -> String {
    match post.body.is_empty() {
        true => "an empty POST".to_owned(),
        false => String::from_utf8_lossy(&post.body).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::world::World, *};

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1y"), Ok(Duration::from_secs(365 * 86_400)));
        for bad in ["90", "s", "1w", "-1s", ""] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_has_changed_is_shown() {
        assert_eq!(same("a\nb", "a\nb"), Ok(()));
        assert_eq!(same("a\nb", "a\nc"), Err("changed: - b; + c".to_owned()));
    }

    /// A case that plays against a box in virtual time; gives back what it says.
    fn played(script: &str) -> Result<(), String> {
        let text = format!("# Shows how a case fails.\ncovers 1.01\n{script}");
        let case = Case::parse("g/1.01-x.case", &text).map_err(|wrong| wrong.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(&[]).await.unwrap();
            play(&case, &mut world).await.map_err(|wrong| wrong.to_string())
        })
    }

    #[test]
    fn a_case_that_does_not_hold_names_file_line_and_what_was_seen() {
        for (script, message) in [
            ("cpe Inform events=x", "3: Inform: expected events `x`, seen `0 BOOTSTRAP, 1 BOOT`"),
            ("session\ncpe Inform", "4: expected Inform, the agent does nothing"),
            ("cpe nothing", "3: the agent has done something that the case does not expect: a connection"),
            ("cpe Inform\nacs http 500\ncpe close\nwait 3s\nwait 10s", "7: after "),
            ("session\nwait 1s..5s", "4: the agent has done nothing within 5s"),
            ("open\nacs GetRPCMethods", "4: after the end: "),
            (
                "open\nacs GetRPCMethods\ncpe GetRPCMethodsResponse Reboot",
                "5: GetRPCMethodsResponse: `GetRPCMethods=`",
            ),
            (
                "session\nvalue Device.DeviceInfo.SerialNumber = 2",
                "4: expected Device.DeviceInfo.SerialNumber",
            ),
            (
                "session\nremember\nbox set Device.ManagementServer.Username=u\nunchanged",
                "6: changed: - Device.",
            ),
            ("session\nremember\nbox set Device.ManagementServer.Username=u\nunwritten", "6: changed: "),
            ("session\ndance", "4: `dance ` is not understood"),
        ] {
            let wrong = played(script).err().unwrap_or_default();
            assert!(wrong.starts_with(&format!("g/1.01-x.case:{message}")), "{script}: {wrong}");
        }
    }
}
