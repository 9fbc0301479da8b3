/* Records what a process does to the files of one folder, so that a power failure can be played.

   With LD_PRELOAD it writes each write, resize, sync, creation, removal and renaming below
   $FORGET_FOLDER to the end of $FORGET_JOURNAL, after it has happened. `tests.chaos.disk` reads that
   and makes the folder as a disk may have it that forgot what was not synced. Nothing is slowed
   down by real flushes: syncs are recorded, not done.

   Files are told apart by inode. Shared maps are not seen: SQLite's -shm file need not survive. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FDS 4096
#define MAGIC 0x7a65726f67666f72ULL

struct head {
    uint64_t magic;
    uint64_t what; /* w write, t truncate, s sync, d sync of a folder, c create, u unlink, r rename */
    uint64_t inode;
    uint64_t offset;
    uint64_t length; /* of what follows: data, or names */
};

static ino_t inodes[MAX_FDS];
static char folders[MAX_FDS];
static const char *folder;
static int journal = -1;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FORGET_JOURNAL");
    folder = getenv("FORGET_FOLDER");
    if (path && folder)
        journal = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static void record(char what, ino_t inode, off_t offset, const void *data, size_t length) {
    struct head head = {MAGIC, (uint64_t)what, inode, (uint64_t)offset, length};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)data, length}};
    int before = errno;
    if (syscall(SYS_writev, journal, parts, 2) != (long)(sizeof head + length))
        abort();
    errno = before;
}

/* The path below the folder, or NULL. */
static const char *inside(const char *path) {
    size_t length = folder ? strlen(folder) : 0;
    if (journal < 0 || !path || strncmp(path, folder, length) != 0)
        return NULL;
    return path[length] == '/' ? path + length + 1 : path[length] ? NULL : ".";
}

static ino_t tracked(int fd) { return fd >= 0 && fd < MAX_FDS ? inodes[fd] : 0; }

static int opened(int fd, const char *name, int is_new) {
    struct stat found;
    if (fd < 0 || fd >= MAX_FDS || fstat(fd, &found) != 0)
        return fd;
    inodes[fd] = found.st_ino;
    folders[fd] = S_ISDIR(found.st_mode);
    if (is_new)
        record('c', found.st_ino, 0, name, strlen(name));
    return fd;
}

static int open_at(int at, const char *path, int flags, mode_t mode) {
    const char *name = at == AT_FDCWD || path[0] == '/' ? inside(path) : NULL;
    if (!name)
        return syscall(SYS_openat, at, path, flags, mode);
    if (flags & O_CREAT) {
        int fd = syscall(SYS_openat, at, path, flags | O_EXCL, mode);
        if (fd >= 0 || errno != EEXIST || flags & O_EXCL)
            return opened(fd, name, 1);
    }
    int fd = opened(syscall(SYS_openat, at, path, flags, mode), name, 0);
    if (fd >= 0 && flags & O_TRUNC)
        record('t', tracked(fd), 0, NULL, 0);
    return fd;
}

#define MODE(flags)                                                                                \
    mode_t mode = 0;                                                                               \
    if ((flags) & O_CREAT) {                                                                       \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode = va_arg(rest, mode_t);                                                               \
        va_end(rest);                                                                              \
    }

int open(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return open_at(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return open_at(at, path, flags, mode); }

int close(int fd) {
    if (fd >= 0 && fd < MAX_FDS)
        inodes[fd] = 0;
    return syscall(SYS_close, fd);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    ssize_t done = syscall(SYS_pwrite64, fd, data, length, offset);
    if (done > 0 && tracked(fd))
        record('w', tracked(fd), offset, data, done);
    return done;
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    return pwrite64(fd, data, length, offset);
}

/* No file here is written by two at its own offset, so that the offset is known before. */
ssize_t write(int fd, const void *data, size_t length) {
    off_t offset = tracked(fd) ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t done = syscall(SYS_write, fd, data, length);
    if (done > 0 && tracked(fd))
        record('w', tracked(fd), offset, data, done);
    return done;
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (!tracked(fd))
        return syscall(SYS_writev, fd, parts, count);
    ssize_t all = 0;
    for (int i = 0; i < count; i++) {
        ssize_t done = write(fd, parts[i].iov_base, parts[i].iov_len);
        if (done < 0)
            return all ? all : done;
        all += done;
        if ((size_t)done < parts[i].iov_len)
            break;
    }
    return all;
}

int ftruncate64(int fd, off64_t length) {
    int failed = syscall(SYS_ftruncate, fd, length);
    if (!failed && tracked(fd))
        record('t', tracked(fd), length, NULL, 0);
    return failed;
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int synced(int fd, int (*real)(int)) {
    if (!tracked(fd))
        return real(fd);
    record(folders[fd] ? 'd' : 's', tracked(fd), 0, NULL, 0);
    return 0;
}
int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

int unlink(const char *path) {
    int failed = syscall(SYS_unlink, path);
    if (!failed && inside(path))
        record('u', 0, 0, inside(path), strlen(inside(path)));
    return failed;
}

int rename(const char *from, const char *to) {
    int failed = syscall(SYS_rename, from, to);
    if (!failed && inside(from) && inside(to)) {
        char names[2 * PATH_MAX];
        int length = snprintf(names, sizeof names, "%s%c%s", inside(from), 0, inside(to));
        record('r', 0, 0, names, length);
    }
    return failed;
}
