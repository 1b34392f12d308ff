package checkpoint

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// noFollow is of other systems: here a link needs privileges.
const noFollow = 0

// tryLock locks the open file, which closing it releases. Locks are mandatory
// here: one byte far behind the end leaves the holder's number readable.
func tryLock(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{OffsetHigh: 1})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return errLocked
	}
	return err
}
