package operator

// nHorizons is the number of horizons.
const nHorizons = 3

// horizons are how many events ahead a model forecasts, the next event first.
var horizons = [nHorizons]int{1, 8, 64}
