//! The program with a protocol process that somebody has taken over: started as such, it gives up what the real one gives up,
//! then tries what it must not be able to do, and at last sends the box process nonsense.
//!
//! What came of it is on standard error, a line each: `attack NAME: done` or `attack NAME: ERROR`.

#![allow(clippy::print_stderr)]

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::{fs::symlink, net::UnixStream},
    path::Path,
    process::{Command, ExitCode},
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::{
        ptrace,
        signal::{Signal, kill},
        socket::{AddressFamily, SockFlag, SockType, socket},
    },
    unistd::{Pid, getppid, setuid},
};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() != Some("protocol") {
        return cwmpd::main();
    }
    match cwmpd::workbench::taken_over() {
        Ok((socket, folders)) => {
            for folder in folders {
                attack(&folder);
            }
            work();
            talk(socket);
            ExitCode::SUCCESS
        }
        Err(errors) => {
            eprintln!("{errors:?}");
            ExitCode::FAILURE
        }
    }
}

fn tell<T, E: std::fmt::Display>(name: &str, outcome: Result<T, E>) {
    match outcome {
        Ok(_) => eprintln!("attack {name}: done"),
        Err(error) => eprintln!("attack {name}: {error}"),
    }
}

/// All of it must fail.
fn attack(folder: &Path) {
    let pid = std::process::id();
    let parent = getppid();
    let proc = |file: &str| format!("/proc/{parent}/{file}");
    let temporary = std::env::temp_dir().join(format!("cwmpd-attack-{pid}"));
    let append = |path: &Path| OpenOptions::new().append(true).open(path);
    tell("read user.ini", fs::read(folder.join("user.ini")));
    tell("read factory.ini", fs::read(folder.join("factory.ini")));
    tell("list the configuration", fs::read_dir(folder));
    tell("change factory.ini", append(&folder.join("factory.ini")));
    tell("make a file in the configuration", File::create(folder.join("attack")));
    tell("remove factory.ini", fs::remove_file(folder.join("factory.ini")));
    tell("make a temporary file", File::create(&temporary));
    tell("make a temporary link", symlink("/etc/shadow", &temporary));
    tell("read /etc/shadow", fs::read("/etc/shadow"));
    tell("write to the kernel's settings", append(Path::new("/proc/sys/kernel/core_pattern")));
    tell("connect to the control socket", UnixStream::connect(folder.join("cwmpd.sock")));
    tell("read the memory of the box process", File::open(proc("mem")));
    tell("read the environment of the box process", fs::read(proc("environ")));
    tell("run a shell", Command::new("/bin/sh").arg("-c").arg("true").status());
    tell("run itself", Command::new("/proc/self/exe").arg("--version").status());
    tell("trace the box process", ptrace::attach(parent));
    tell("end the box process", kill(parent, Signal::SIGKILL));
    tell("end every process", kill(Pid::from_raw(-1), Signal::SIGKILL));
    tell(
        "become root",
        setuid(0.into()).and_then(|()| fs::read("/etc/shadow").map_err(|_| nix::Error::EPERM)),
    );
    tell("make a namespace", unshare(CloneFlags::CLONE_NEWUSER));
    let none: Option<&str> = None;
    tell("mount", mount(none, "/", none, MsFlags::MS_REMOUNT | MsFlags::MS_BIND, none));
    let open = |family, kind| socket(family, kind, SockFlag::empty(), None);
    tell("talk to the kernel over netlink", open(AddressFamily::Netlink, SockType::Raw));
    tell("see all packets", open(AddressFamily::Packet, SockType::Raw));
}

/// What the real one does must go on working.
fn work() {
    let server = TcpListener::bind("127.0.0.1:0");
    let connected = server.and_then(|server| TcpStream::connect(server.local_addr()?));
    let sent = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(b"x", "127.0.0.1:9"));
    let named = std::net::ToSocketAddrs::to_socket_addrs(&("localhost", 80)).map(|_| ());
    let thread = std::thread::Builder::new().spawn(|| ()).map(|thread| thread.join().is_ok());
    for (name, outcome) in [
        ("TCP", connected.map(drop)),
        ("UDP", sent.map(drop)),
        ("names", named),
        ("threads", thread.map(drop)),
    ] {
        match outcome {
            Ok(()) => eprintln!("work {name}: done"),
            Err(error) => eprintln!("work {name}: {error}"),
        }
    }
}

/// Sends what is no message, of another kind each time, and waits for the end.
fn talk(mut socket: UnixStream) {
    let nonsense: &[u8] = match std::process::id() % 3 {
        // Longer than anything that is allowed.
        0 => &[0xff, 0xff, 0xff, 0xff],
        // As long as it says, and nothing that is known.
        1 => &[4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        // An effect of a kind that does not exist, and then an end without a whole message.
        _ => &[2, 0, 0, 0, 0, 0x7f, 200, 0],
    };
    // The box process may have ended the talk already.
    let _ = socket.write_all(nonsense);
    let _ = socket.read_to_end(&mut Vec::new());
}
