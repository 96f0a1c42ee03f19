package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// adviseHugePages asks for huge pages for the whole ones that lie in s. It is a
// wish: where it cannot be had, nothing but speed differs.
func adviseHugePages(s []float32) {
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), 4*len(s))
	skip := -uintptr(unsafe.Pointer(&s[0])) % slabAlign
	if whole := (uintptr(len(bytes)) - min(skip, uintptr(len(bytes)))) / slabAlign * slabAlign; whole > 0 {
		_ = unix.Madvise(bytes[skip:skip+whole], unix.MADV_HUGEPAGE)
	}
}
