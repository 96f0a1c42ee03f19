package statestore

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// fileLockWait is how long a process that is about to end may still hold the file.
const fileLockWait = time.Second

// OpenFile opens the store in the file at path, or makes one that only its owner may
// read and write. It fails where another process uses the file, and with ErrCorrupt
// where the file is damaged or holds something else: it is left as it is.
func OpenFile(path string) (*File, error) {
	var opened *os.File
	var db *bbolt.DB
	err := guarded(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout: fileLockWait, FreelistType: bbolt.FreelistMapType, NoStatistics: true,
			OpenFile: func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
				opened, err = os.OpenFile(name, flag, mode)
				return opened, err
			},
		})
		if err != nil {
			return err
		}
		return db.Update(prepareFile)
	})
	if err == nil {
		return &File{db: db}, nil
	}
	if db != nil {
		_ = db.Close() // nothing was written: err says all there is
	} else if opened != nil {
		// Not closed yet where bbolt panicked. Its mapping stays, and with it the lock,
		// until the process ends.
		_ = opened.Close()
	}
	return nil, fmt.Errorf("open state file %q: %w", path, openFault(err))
}

// prepareFile makes a new file ours and refuses another program's.
func prepareFile(tx *bbolt.Tx) error {
	if tx.Bucket([]byte(fileRoot)) != nil {
		return nil
	}
	if name, _ := tx.Cursor().First(); name != nil {
		return corrupt("its first bucket is %.40q, not %q: another program or another version of this one wrote it",
			name, fileRoot)
	}
	_, err := tx.CreateBucket([]byte(fileRoot))
	return err
}

// openFault says what bbolt's errors mean for a state file.
func openFault(err error) error {
	var system syscall.Errno
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return errors.New("it is in use by another process: stop that, or give each its own file")
	case errors.Is(err, ErrCorrupt), errors.As(err, &system):
		return err
	}
	return corrupt("no state file, or a damaged one: %v", err)
}

// guarded runs fn and turns its panics into errors. bbolt panics on pages that are not
// what it wrote, and reading a mapped file behind its end is a fault.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			err = corrupt("damaged page: %v", fault)
		}
	}()
	return fn()
}
