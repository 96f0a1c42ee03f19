package kernel

// slabAlign is the size of a huge page on the processors that have kernels here.
const slabAlign = 2 << 20

// NewSlab returns n zeros. Where they are many, the operating system is asked to
// back them with huge pages, since a random walk through hundreds of megabytes of
// small pages spends its time looking up pages.
func NewSlab(n int) []float32 {
	s := make([]float32, n)
	if 4*n >= slabAlign {
		adviseHugePages(s)
	}
	return s
}
