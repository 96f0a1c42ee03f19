package detector

// lags is the order of the autoregression, to which comes a constant.
const lags = 8

// remember is how much of the past's weight an event leaves.
const remember = 0.999

// An autoregression forecasts a value by a linear function of the last ones, whose
// coefficients recursive least squares with forgetting keep up to date (Haykin, "Adaptive
// Filter Theory", chapter 10). Values are taken relative to a running mean and scale.
type autoregression struct {
	centre, size running
	past         [lags]float64 // the latest first
	n            int
	coefficients [lags + 1]float64
	inverse      [lags + 1][lags + 1]float64 // of the inputs' weighted correlation
	scale
}

// outlier is the error, in mean errors, that counts for no more in what is learnt
// (Huber): else one spike decides the coefficients.
const outlier = 3

// firstInverse is the inverse's diagonal before anything is known.
const firstInverse = 10

func newAutoregression() *autoregression {
	d := new(autoregression)
	for i := range d.inverse {
		d.inverse[i][i] = firstInverse
	}
	return d
}

func (d *autoregression) score(_ int64, x float64) float64 {
	d.n++
	if d.n > 1 {
		deviation := x - d.centre.mean
		d.size.add(max(deviation, -deviation), longRate)
	}
	d.centre.add(x, longRate)
	if d.size.mean == 0 {
		return 0
	}
	y := min(max((x-d.centre.mean)/d.size.mean, -20), 20)
	residual := y - d.forecast()
	surprise := 0.0
	if d.n > 2*lags {
		surprise = d.surprise(residual)
	}
	if usual := d.scale.size.mean; usual > 0 {
		residual = min(max(residual, -outlier*usual), outlier*usual)
	}
	d.learn(residual)
	copy(d.past[1:], d.past[:])
	d.past[0] = y
	return surprise
}

// input is what a forecast is computed from.
func (d *autoregression) input() (u [lags + 1]float64) {
	copy(u[:], d.past[:])
	u[lags] = 1
	return u
}

func (d *autoregression) forecast() float64 {
	sum, u := 0.0, d.input()
	for i := range u {
		sum += d.coefficients[i] * u[i]
	}
	return sum
}

// learn is one step of recursive least squares.
func (d *autoregression) learn(residual float64) {
	u := d.input()
	var gain [lags + 1]float64
	power := remember
	for i := range gain {
		for j := range u {
			gain[i] += d.inverse[i][j] * u[j]
		}
		power += u[i] * gain[i]
	}
	trace := 0.0
	for i := range d.inverse {
		d.coefficients[i] += gain[i] / power * residual
		for j := range i + 1 {
			// Both halves at once: rounding must not make it asymmetric.
			v := (d.inverse[i][j] - gain[i]*gain[j]/power) / remember
			d.inverse[i][j], d.inverse[j][i] = v, v
		}
		trace += d.inverse[i][i]
	}
	if !(trace < 1e6) {
		// Inputs that do not vary let the inverse grow without end: begin anew.
		d.inverse = newAutoregression().inverse
	}
}
