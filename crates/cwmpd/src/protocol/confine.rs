//! What the protocol process gives up for good before it hears from the network.
//!
//! *Landlock* takes the file system away: nothing can be written, made, removed or executed, and only what name resolution
//! needs can be read. *Seccomp* takes system calls away that such a process has no use for. It is a list of what is denied, not
//! of what is allowed: another libc, another kernel may use other calls for the same work, and an agent that stops after an
//! upgrade of the box cannot be mended from afar. A call that is denied fails with EPERM. What the kernel or the processor
//! does not offer is left out, and the log says so.

use std::{
    io,
    path::{Path, PathBuf},
};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, RestrictionStatus, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use nix::{sys::prctl, unistd};

/// The newest rights of landlock that are asked for; those that the kernel does not know are left out.
const NEWEST: ABI = ABI::V6;
/// What the C library reads to resolve names and order addresses; those that are missing are passed over.
const NAMES: [&str; 6] = [
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/services",
];
/// Where a C library that is not part of the program keeps its modules for that.
const LIBRARIES: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

/// Confines this thread and those that it will start. `private` are folders with secrets.
///
/// # Errors
/// What the kernel refuses although it offers it.
pub(super) fn confine(private: &[PathBuf]) -> io::Result<()> {
    prctl::set_no_new_privs()?;
    let status = landlock(private).map_err(io::Error::other)?;
    match status.ruleset {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => {}
        RulesetStatus::NotEnforced => {
            tracing::warn!("the kernel has no landlock: the protocol process can read what its user can");
        }
    }
    calls::deny()
}

fn landlock(private: &[PathBuf]) -> Result<RestrictionStatus, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    for path in LIBRARIES.iter().map(PathBuf::from).chain(names(private)) {
        let Ok(open) = PathFd::new(&path) else { continue };
        let rights = if path.is_dir() { read } else { AccessFs::ReadFile.into() };
        ruleset = ruleset.add_rule(PathBeneath::new(open, rights))?;
    }
    ruleset.restrict_self()
}

/// The files of name resolution. A file that is replaced is another one for landlock; so it is its folder that may be read,
/// unless secrets lie below that and the user that this process has could read them.
fn names(private: &[PathBuf]) -> Vec<PathBuf> {
    let readable = |folder: &Path| unistd::access(folder, unistd::AccessFlags::R_OK).is_ok();
    let secret = |folder: &Path| private.iter().any(|secret| secret.starts_with(folder) && readable(secret));
    let place = |file: PathBuf| match file.parent() {
        Some(folder) if folder.parent().is_some() && !secret(folder) => folder.to_owned(),
        _ => file,
    };
    let named = NAMES.iter().map(PathBuf::from);
    let real = NAMES.iter().filter_map(|name| Path::new(name).canonicalize().ok());
    named.chain(real).map(place).collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
mod calls {
    #[allow(clippy::unnecessary_wraps, reason = "the same words as on other processors")]
    pub(super) fn deny() -> std::io::Result<()> {
        tracing::info!("there is no filter of system calls for this processor");
        Ok(())
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
mod calls {
    use std::{collections::BTreeMap, io};

    use seccompiler::{
        BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule, TargetArch, apply_filter,
    };

    /// Denied whatever the arguments: to become or start another program, to look into other processes or signal them, to
    /// change what the box is made of (mounts, modules, clocks, names, kernels), and parts of the kernel that have often been
    /// a way around all that.
    const DENIED: &[i64] = &[
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_kcmp,
        libc::SYS_kill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
        libc::SYS_pidfd_open,
        libc::SYS_pidfd_getfd,
        libc::SYS_pidfd_send_signal,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_move_mount,
        libc::SYS_open_tree,
        libc::SYS_fsopen,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fspick,
        libc::SYS_mount_setattr,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_acct,
        libc::SYS_quotactl,
        libc::SYS_syslog,
        libc::SYS_sethostname,
        libc::SYS_setdomainname,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_clock_adjtime,
        libc::SYS_adjtimex,
        libc::SYS_personality,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_keyctl,
        libc::SYS_name_to_handle_at,
        libc::SYS_open_by_handle_at,
        libc::SYS_memfd_create,
        libc::SYS_mq_open,
        libc::SYS_msgget,
        libc::SYS_semget,
        libc::SYS_shmget,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_iopl,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_ioperm,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_kexec_file_load,
    ];
    /// Bits of clone that make namespaces.
    const NAMESPACES: &[i32] = &[
        libc::CLONE_NEWNS,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];
    /// Requests of ioctl that type on a terminal of somebody else: TIOCSTI and TIOCLINUX.
    const TERMINAL: &[u64] = &[0x5412, 0x541c];

    /// Takes the calls away from this thread and those that it will start.
    pub(super) fn deny() -> io::Result<()> {
        let denied = filter().and_then(|programs| {
            programs.iter().try_for_each(|program| apply_filter(program))?;
            Ok(())
        });
        match denied {
            Err(Error::Prctl(error) | Error::Seccomp(error)) => {
                tracing::warn!("the kernel has no filter of system calls: {error}");
                Ok(())
            }
            other => other.map_err(io::Error::other),
        }
    }

    fn filter() -> Result<[BpfProgram; 2], Error> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
            DENIED.iter().map(|call| (*call, Vec::new())).collect();
        // Sockets of the Internet alone: neither those of other services nor those of the kernel.
        let other = |family: i32| condition(0, SeccompCmpOp::Ne, u64::from(family.unsigned_abs()));
        rules.insert(
            libc::SYS_socket,
            vec![SeccompRule::new(vec![other(libc::AF_INET)?, other(libc::AF_INET6)?])?],
        );
        let bits = NAMESPACES.iter().map(|bit| {
            let bit = u64::from(bit.unsigned_abs());
            SeccompRule::new(vec![condition(0, SeccompCmpOp::MaskedEq(bit), bit)?])
        });
        rules.insert(libc::SYS_clone, bits.collect::<Result<_, _>>()?);
        let requests =
            TERMINAL.iter().map(|request| SeccompRule::new(vec![condition(1, SeccompCmpOp::Eq, *request)?]));
        rules.insert(libc::SYS_ioctl, requests.collect::<Result<_, _>>()?);
        // The flags of clone3 lie in memory, where a filter cannot see them. C libraries go on with clone.
        let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
        Ok([program(rules, libc::EPERM)?, program(clone3, libc::ENOSYS)?])
    }

    fn condition(
        argument: u8,
        operator: SeccompCmpOp,
        value: u64,
    ) -> Result<SeccompCondition, seccompiler::BackendError> {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
    }

    fn program(rules: BTreeMap<i64, Vec<SeccompRule>>, error: i32) -> Result<BpfProgram, Error> {
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        let denied = SeccompAction::Errno(error.unsigned_abs());
        Ok(SeccompFilter::new(rules, SeccompAction::Allow, denied, arch)?.try_into()?)
    }
}
