// Package eval measures detectors on labelled series. It is what weir backtest runs.
//
// A [Series] is a file: times, values and the labelled ranges. A detector goes over it
// once, in order, and leaves a [Run]: a score and an alarm for each event, and forecasts
// where it has any. [Measure] turns the runs of one detector over all series into a
// [Result]. The baselines are in package detector; the operator is one caller's function.
//
// # Scores
//
// NAB ([Sweep]): each label is a window. The first alarm in it earns between 1 (at its
// left edge) and 0 (at its right) on a sigmoid, a window without alarm costs a false
// negative, an alarm outside costs more the farther it lies behind the last window. The
// first 15% of a file, at most 750 events, do not count. One threshold for all files is
// chosen after the fact, the best one, and the sum is normalised so that 0 is a detector
// that never speaks and 100 one that fires at each window's first event. Lavin and Ahmad,
// "Evaluating Real-time Anomaly Detection Algorithms", 2015; the profiles and the
// treatment of edges are those of the authors' program (numenta/NAB, sweeper.py), whose
// published scores the tests reproduce.
//
// VUS-PR and VUS-ROC ([VUS]): the area under the precision-recall or ROC curve, with
// labels that fade out on both sides over a buffer, averaged over all buffer lengths up
// to [Buffer]. Paparrizos et al., "Volume Under the Surface", VLDB 2022. The tests
// compare with the packages vus and TSB-AD.
//
// AUC-PR ([AveragePrecision]) and the best F1 ([BestF1]) count single events. There is
// no point adjustment: it makes a random score look excellent (Kim et al., "Towards a
// Rigorous Evaluation of Time-Series Anomaly Detection", AAAI 2022).
//
// [Alarms] count what an operator's owner sees: incidents found, alarms that were right,
// time to the first alarm, false alarms a stream and week. They are taken at the alarm
// threshold that follows from the budget, which knows nothing of the labels.
//
// [Skill] measures forecasts: pinball loss against the last value's, the share of values
// inside the 90% band, and how the values spread over the forecast's quantiles (the
// probability integral transform), all one event ahead. Gneiting and Katzfuss,
// "Probabilistic Forecasting", 2014.
package eval
