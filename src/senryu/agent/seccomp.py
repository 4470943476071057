"""The system calls a dyno may make. Everything else fails with EPERM, as if not permitted.

Not here on purpose: mount and its relatives, namespaces, kernel modules, bpf, perf, userfaultfd, io_uring, keyrings, clocks, reboot,
open_by_handle_at. ptrace is allowed: a dyno has its own process ids and no capabilities, and debuggers need it.
Source: syscalls(2), the OCI runtime specification (config-linux, seccomp).
"""

from __future__ import annotations

import socket
from typing import Any, Final

_FILES = """
access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fadvise64_64
fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr
fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr
inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown lchown32 lgetxattr link linkat listxattr llistxattr _llseek
lremovexattr lseek lsetxattr lstat lstat64 memfd_create mkdir mkdirat mknod mknodat newfstatat _newselect open openat openat2 pread64
preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile
sendfile64 setxattr splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs tee truncate truncate64
umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev name_to_handle_at
"""
_MEMORY = """
brk get_mempolicy madvise mbind membarrier mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap msync munlock munlockall munmap
pkey_alloc pkey_free pkey_mprotect remap_file_pages set_mempolicy memfd_secret process_madvise process_mrelease
map_shadow_stack mseal cachestat
"""
_PROCESSES = """
alarm arch_prctl capget capset execve execveat exit exit_group fork futex futex_time64 futex_waitv futex_wait futex_wake
futex_requeue get_robust_list get_thread_area getcpu getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid
getpgrp getpid getppid getpriority getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid gettid getuid getuid32
ioprio_get ioprio_set kill pause pidfd_open pidfd_send_signal prctl prlimit64 process_vm_readv process_vm_writev ptrace restart_syscall
rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64
rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32
setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setuid
setuid32 sigaltstack signalfd signalfd4 sigprocmask sigreturn sysinfo tgkill times tkill ugetrlimit uname vfork wait4 waitid waitpid
landlock_add_rule landlock_create_ruleset landlock_restrict_self getrandom riscv_flush_icache riscv_hwprobe breakpoint cacheflush
set_tls
"""
_TIME = """
clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep
setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
"""
_TALK = """
accept accept4 bind connect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
eventfd eventfd2 getpeername getsockname getsockopt io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup
io_submit ipc listen mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink
msgctl msgget msgrcv msgsnd pipe pipe2 poll ppoll ppoll_time64 pselect6 pselect6_time64 recv recvfrom recvmmsg recvmmsg_time64 recvmsg
select semctl semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt shmget shutdown
socketcall socketpair
"""
ALLOWED: Final = tuple(sorted({name for group in (_FILES, _MEMORY, _PROCESSES, _TIME, _TALK) for name in group.split()}))

_NEW_NAMESPACES: Final = 0x7E020000  # every CLONE_NEW… flag clone(2) takes
_PERSONALITIES: Final = (0x0, 0x8, 0x20000, 0x20008, 0x40000, 0xFFFFFFFF)
_FAMILIES: Final = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
_NETLINK_ROUTE: Final = 0
_ENOSYS, _EPERM = 38, 1


def profile() -> dict[str, Any]:
    """The `linux.seccomp` part of an OCI configuration."""
    allow = "SCMP_ACT_ALLOW"
    clone = {"index": 0, "value": _NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    rules: list[dict[str, Any]] = [
        {"names": list(ALLOWED), "action": allow},
        {"names": ["clone"], "action": allow, "args": [clone]},
        # glibc falls back to clone(2), whose flags can be seen here, when there is no clone3(2).
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},
        *({"names": ["personality"], "action": allow, "args": [_is(0, value)]} for value in _PERSONALITIES),
        *_sockets(allow),
    ]
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "syscalls": rules,
    }


def _sockets(allow: str) -> list[dict[str, Any]]:
    """socket(2) for local, IPv4, IPv6 and route (getifaddrs(3)) sockets; the others reach kernel code a dyno has no use for."""
    netlink = [_is(0, socket.AF_NETLINK), _is(2, _NETLINK_ROUTE)]
    wanted = [*([_is(0, family)] for family in _FAMILIES), netlink]
    return [{"names": ["socket"], "action": allow, "args": arguments} for arguments in wanted]


def _is(index: int, value: int) -> dict[str, Any]:
    return {"index": index, "value": int(value), "op": "SCMP_CMP_EQ"}
