package core

import (
	"syscall"
	"unsafe"
)

// adviseHuge asks for huge pages, which spare the row gather most of its
// address translations. It is a hint: nothing depends on it, errors are
// ignored, and small matrices are left alone.
func adviseHuge(w []uint64) {
	const page, advHuge = 1 << 21, 14
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(w))), len(w)*8)
	if len(b) < 4*page {
		return
	}
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (page - 1)
	b = b[skip:]
	_ = syscall.Madvise(b[:len(b)&^(page-1)], advHuge)
}
