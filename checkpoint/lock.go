package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// lockFile is the name of a run's lock. It stays when the lock is released:
// removing it would let two processes hold locks on two files of that name.
const lockFile = ".lock"

// errLocked is what tryLock returns when another holds the lock.
var errLocked = errors.New("locked")

// LockRun locks a run directory, which is created if necessary, against every other
// process and every other call of this one until unlock is called. The operating system
// releases the lock when the process ends in any way. The error names the process that
// holds the lock. Whoever empties the directory must keep the file .lock in it.
func LockRun(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockFile)
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() { // a link, to a file that is another's
		return nil, fmt.Errorf("%s is no regular file, so that it cannot be the lock of a run: remove it", path)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|noFollow, 0o666)
	if err != nil {
		return nil, err
	}
	if err := tryLock(f); err != nil {
		defer f.Close()
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("%s: cannot be locked: %w", f.Name(), err)
		}
		holder := "another process"
		// Its number is missing for the moment between lock and write.
		if text, _ := io.ReadAll(io.LimitReader(f, 32)); len(text) > 0 {
			if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
				holder = fmt.Sprintf("process %d", pid)
			}
		}
		return nil, fmt.Errorf("%s is in use by %s: wait for it or stop it, or choose another run directory", dir, holder)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(strconv.AppendInt(nil, int64(os.Getpid()), 10), 0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f.Close, nil
}
