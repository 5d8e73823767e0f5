//! The words of cases about transfers: what the ACS orders, and what the agent reports.

use cwmp_core::{
    agent::LocalTransfer,
    job::{DuJob, Job},
    rpc::{
        AutonomousTransferComplete, CancelTransfer, CommandKey, CpeRequest, CpeResponse, Download,
        FaultStruct, ScheduleDownload, TimeWindowStruct, TransferComplete, TransferResponse, Upload,
    },
};

/// A name, a type and a value as a message lists them.
pub type Entry = (String, String, String);

/// `name=value` words.
struct Words<'a>(&'a [String]);

impl Words<'_> {
    fn text(&self, name: &str) -> String {
        let of = |word: &String| word.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        self.0.iter().find_map(of).unwrap_or_default()
    }

    fn number(&self, name: &str) -> Result<u32, String> {
        match self.text(name).as_str() {
            "" => Ok(0),
            text => text.parse().map_err(|_| format!("{name} is a number, not `{text}`")),
        }
    }

    fn key(&self) -> Result<CommandKey, String> {
        CommandKey::new(self.text("key")).map_err(|error| error.to_string())
    }

    /// All words are of these names.
    fn only(&self, names: &[&str]) -> Result<(), String> {
        let known = |word: &&String| word.split_once('=').is_some_and(|(name, _)| names.contains(&name));
        match self.0.iter().find(|word| !known(word)) {
            Some(word) => Err(format!("`{word}` is none of {}", names.join(", "))),
            None => Ok(()),
        }
    }
}

/// A call of the ACS that orders, cancels or lists transfers; `None` for any other method.
///
/// # Errors
/// Words that are not understood.
pub fn call(method: &str, words: &[String]) -> Result<Option<CpeRequest>, String> {
    let words = Words(words);
    let of_all = ["key", "file-type", "url", "username", "password"];
    let with = |more: &[&'static str]| words.only(&[&of_all[..], more].concat());
    let (file_type, url) = (words.text("file-type"), words.text("url"));
    let (username, password) = (words.text("username"), words.text("password"));
    Ok(Some(match method {
        "Download" => {
            with(&["size", "name", "delay"])?;
            CpeRequest::Download(Download {
                command_key: words.key()?,
                file_type,
                url,
                username,
                password,
                file_size: words.number("size")?,
                target_file_name: words.text("name"),
                delay_seconds: words.number("delay")?,
                success_url: String::new(),
                failure_url: String::new(),
            })
        }
        "Upload" => {
            with(&["delay"])?;
            let (command_key, delay_seconds) = (words.key()?, words.number("delay")?);
            CpeRequest::Upload(Upload { command_key, file_type, url, username, password, delay_seconds })
        }
        "ScheduleDownload" => {
            with(&["size", "name", "window"])?;
            let windows = words.0.iter().filter_map(|word| word.strip_prefix("window="));
            CpeRequest::ScheduleDownload(ScheduleDownload {
                command_key: words.key()?,
                file_type,
                url,
                username,
                password,
                file_size: words.number("size")?,
                target_file_name: words.text("name"),
                time_windows: windows.map(window).collect::<Result<_, _>>()?,
            })
        }
        "CancelTransfer" => {
            words.only(&["key"])?;
            CpeRequest::CancelTransfer(CancelTransfer { command_key: words.key()? })
        }
        "GetQueuedTransfers" => CpeRequest::GetQueuedTransfers,
        "GetAllQueuedTransfers" => CpeRequest::GetAllQueuedTransfers,
        _ => return Ok(None),
    }))
}

/// `0..3600,1 At Any Time,retries=0`; without retries their number is left to the agent.
fn window(text: &str) -> Result<TimeWindowStruct, String> {
    let mut parts = text.split(',');
    let (from, to) =
        parts.next().and_then(|span| span.split_once("..")).ok_or("a window is FROM..TO,MODE")?;
    let second = |text: &str| text.parse().map_err(|_| format!("`{text}` is no number of seconds"));
    let mut window = TimeWindowStruct {
        window_start: second(from)?,
        window_end: second(to)?,
        window_mode: parts.next().ok_or("a window has a mode")?.to_owned(),
        user_message: String::new(),
        max_retries: -1,
    };
    for part in parts {
        let retries = part.strip_prefix("retries=").and_then(|number| number.parse().ok());
        window.max_retries = retries.ok_or_else(|| format!("`{part}` says nothing of a window"))?;
    }
    Ok(window)
}

/// `box download …`, `box upload …`: what somebody on the box wants transferred.
///
/// # Errors
/// Words that are not understood.
pub fn local(download: bool, words: &[String]) -> Result<LocalTransfer, String> {
    let words = Words(words);
    words.only(&["file-type", "url", "name"])?;
    Ok(LocalTransfer {
        download,
        file_type: words.text("file-type"),
        url: words.text("url"),
        username: String::new(),
        password: String::new(),
        target_file_name: words.text("name"),
    })
}

fn entry(name: &str, value: impl ToString) -> Entry {
    (name.to_owned(), String::new(), value.to_string())
}

/// What a response about transfers lists.
pub fn response(response: &CpeResponse) -> Vec<Entry> {
    match response {
        CpeResponse::Download(answer) | CpeResponse::Upload(answer) => {
            let (status, start, complete) = match answer {
                TransferResponse::Done { start, complete } => (0, start.to_string(), complete.to_string()),
                TransferResponse::Later => return vec![entry("status", 1)],
            };
            vec![entry("status", status), entry("start", start), entry("complete", complete)]
        }
        CpeResponse::GetQueuedTransfers(list) => {
            list.iter().map(|one| entry(one.command_key.as_str(), one.state as u32 + 1)).collect()
        }
        CpeResponse::GetAllQueuedTransfers(list) => {
            let details = |one: &cwmp_core::rpc::AllQueuedTransferStruct| {
                let way = if one.is_download { "download" } else { "upload" };
                let (state, size) = (one.state as u32 + 1, one.file_size);
                let text = format!("{state} {way} {} {size} {}", one.file_type, one.target_file_name);
                entry(one.command_key.as_str(), text.trim_end())
            };
            list.iter().map(details).collect()
        }
        _ => Vec::new(),
    }
}

fn outcome(fault: &FaultStruct) -> [Entry; 2] {
    [entry("fault", fault.code), entry("text", &fault.text)]
}

/// What TransferComplete says.
pub fn complete(told: &TransferComplete) -> Vec<Entry> {
    let mut entries = vec![
        entry("key", told.command_key.as_str()),
        entry("start", told.start_time),
        entry("complete", told.complete_time),
    ];
    entries.extend(outcome(&told.fault));
    entries
}

/// What AutonomousTransferComplete says.
pub fn autonomous(told: &AutonomousTransferComplete) -> Vec<Entry> {
    let mut entries = vec![
        entry("announce-url", &told.announce_url),
        entry("url", &told.transfer_url),
        entry("way", if told.is_download { "download" } else { "upload" }),
        entry("file-type", &told.file_type),
        entry("size", told.file_size),
        entry("name", &told.target_file_name),
        entry("start", told.start_time),
        entry("complete", told.complete_time),
    ];
    entries.extend(outcome(&told.fault));
    entries
}

/// What a job is, in the word of a case, and what it is about.
pub fn job(job: &Job) -> (&'static str, Vec<Entry>) {
    match job {
        Job::Fetch(fetch) => {
            let (file_type, url) = (fetch.file_type.as_str(), fetch.url.to_string());
            let (username, password) = (&fetch.username, &fetch.password.0);
            let login = [entry("username", username), entry("password", password)];
            let entries = [entry("file-type", file_type), entry("url", url), entry("size", fetch.file_size)];
            ("fetches", entries.into_iter().chain(login).collect())
        }
        Job::Apply(apply) => {
            let (file_type, name) = (apply.file_type.as_str(), &apply.target_file_name);
            ("applies", vec![entry("file-type", file_type), entry("name", name), entry("url", &apply.url)])
        }
        Job::Send(send) => {
            let kind = format!("{:?}", send.file_type);
            let login = [entry("username", &send.username), entry("password", &send.password.0)];
            let entries = [entry("file", kind), entry("url", &send.url)];
            ("sends", entries.into_iter().chain(login).collect())
        }
        Job::Diagnose(diagnostic) => ("diagnoses", vec![entry("what", format!("{diagnostic:?}"))]),
        Job::Software(job) => {
            let (step, uuid) = match &**job {
                DuJob::Plan(order) => ("plan", &order.uuid),
                DuJob::Fetch(fetch) => ("fetch", &fetch.target.uuid),
                DuJob::Apply { target, .. } => ("apply", &target.uuid),
                DuJob::Look(target) => ("look", &target.uuid),
                DuJob::Survey => return ("changes-software", vec![entry("step", "survey")]),
            };
            ("changes-software", vec![entry("step", step), entry("uuid", uuid)])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &[&str]) -> Vec<String> {
        text.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn windows_are_read_from_words() {
        let order = words(&["key=k", "window=0..60,1 At Any Time,retries=2", "window=60..90,3 When Idle"]);
        let Some(CpeRequest::ScheduleDownload(call)) = call("ScheduleDownload", &order).unwrap() else {
            panic!()
        };
        let [first, second] = call.time_windows.as_slice() else { panic!() };
        assert_eq!((first.window_start, first.window_end, first.max_retries), (0, 60, 2));
        assert_eq!((second.window_mode.as_str(), second.max_retries), ("3 When Idle", -1));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (method, word) in [
            ("Download", "colour=red"),
            ("Download", "delay=soon"),
            ("Upload", "name=x"),
            ("ScheduleDownload", "window=1,x"),
            ("ScheduleDownload", "window=0..60,1 At Any Time,tries=2"),
            ("CancelTransfer", "url=x"),
        ] {
            assert!(call(method, &words(&[word])).is_err(), "{method} {word}");
        }
    }
}
