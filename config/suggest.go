package config

import "strings"

// didYouMean returns `, did you mean "x"?` for the candidate nearest to name, and that
// candidate; both are empty where none is near.
func didYouMean(name string, candidates []string) (hint, nearest string) {
	best := len(name)/3 + 1
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d <= best && (nearest == "" || d < best) {
			best, nearest = d, c
		}
	}
	if nearest == "" {
		return "", ""
	}
	return `, did you mean "` + nearest + `"?`, nearest
}

// distance is the number of bytes to insert, delete or replace that turns a into b
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
