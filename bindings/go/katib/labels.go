package katib

// The memory of the service: labels of the trials. They say what had been told when a trial was suggested; with them, and the trials'
// results, every ask and every tell can be made again in the same order.

import (
	"sort"
	"strconv"
	"strings"

	api "github.com/kubeflow/katib/pkg/apis/manager/v1beta1"
)

const (
	// labelNumber of the suggestion, from 0.
	labelNumber = "nse-number"
	// labelTold is how many results had been told, and the numbers of the last of them: "12.7.9.8" are 12, at the end 7, 9 and 8. What
	// one label has no room for is in more, nse-told-1 and so on.
	labelTold = "nse-told"
	// labelRound is how many results a round has, where the options do not say it.
	labelRound = "nse-round"
	// labelRoom is Kubernetes' limit.
	labelRoom = 63
)

// labelsOf a suggestion: those told so far, in order, of which the first `known` are on other labels already. The room that is left
// has these again, for labels of a trial that Katib keeps for itself.
func labelsOf(number int, told []int, known, round int) map[string]string {
	labels := map[string]string{labelNumber: strconv.Itoa(number)}
	if round > 0 {
		labels[labelRound] = strconv.Itoa(round)
	}
	for i, end := 0, len(told); i == 0 || end > known; i++ {
		value := strconv.Itoa(end)
		room, at := labelRoom-len(value), end
		for at > 0 {
			if room -= 1 + len(strconv.Itoa(told[at-1])); room < 0 {
				break
			}
			at--
		}
		for _, number := range told[at:end] {
			value += "." + strconv.Itoa(number)
		}
		key := labelTold
		if i > 0 {
			key += "-" + strconv.Itoa(i)
		}
		labels[key] = value
		end = at
	}
	return labels
}

// journal is what the labels of all trials say.
type journal struct {
	// at has the number of the result that was told at a place in the order.
	at map[int]int
	// before has how many were told before a suggestion.
	before map[int]int
	// count of places.
	count int
}

// journalOf the trials with numbers.
func journalOf(trials map[int]*api.Trial) journal {
	j := journal{at: map[int]int{}, before: map[int]int{}}
	for _, number := range sorted(trials) {
		for key, value := range trials[number].GetSpec().GetLabels() {
			if key != labelTold && !strings.HasPrefix(key, labelTold+"-") {
				continue
			}
			numbers, ok := numbersOf(value)
			if !ok || numbers[0] > len(trials)+spare || len(numbers)-1 > numbers[0] {
				continue
			}
			end, told := numbers[0], numbers[1:]
			if key == labelTold {
				j.before[number] = end
			}
			j.count = max(j.count, end)
			for i, result := range told {
				place := end - len(told) + i
				if _, known := j.at[place]; !known {
					j.at[place] = result
				}
			}
		}
	}
	return j
}

func numbersOf(text string) ([]int, bool) {
	parts := strings.Split(text, ".")
	numbers := make([]int, len(parts))
	for i, part := range parts {
		number, err := strconv.Atoi(part)
		if err != nil || number < 0 {
			return nil, false
		}
		numbers[i] = number
	}
	return numbers, true
}

// sorted are the keys of a map, ascending.
func sorted[Value any](of map[int]Value) []int {
	keys := make([]int, 0, len(of))
	for key := range of {
		keys = append(keys, key)
	}
	sort.Ints(keys)
	return keys
}
