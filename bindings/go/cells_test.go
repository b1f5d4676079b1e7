package nse

// Spaces of stacked cells.

import (
	"strings"
	"testing"
)

func TestCells(t *testing.T) {
	space, err := SpacePreset("darts-shared", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	if described, err := space.Describe(nil); err != nil || described.SingleBranch != "4398046511104" || described.Genotypes != "1037664180" || described.Cells != 14 {
		t.Errorf("%+v, %v", described, err)
	}
	arch, err := ArchPreset("darts-abs", map[string]any{"channels": 45})
	if err != nil {
		t.Fatal(err)
	}
	defer arch.Close()
	if cost, err := arch.Cost(); err != nil || cost.MACs != 546_834_996 || cost.Params != 4_978_098 {
		t.Errorf("%+v, %v", cost, err)
	}
	described, err := arch.Describe(nil)
	if err != nil || len(described.Cells) != 28 || described.Cells[15].Edge != "reduce 1->2" || !strings.HasPrefix(described.Genotype, "Genotype(normal=[") {
		t.Errorf("%+v, %v", described, err)
	}
	other, err := arch.Space()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	again, err := ArchFromJSON(other, map[string]any{"genotype": described.Genotype})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if code, err := again.Code(); err != nil {
		t.Error(err)
	} else if same, err := arch.Code(); err != nil || same != code {
		t.Errorf("%s, %s, %v", code, same, err)
	}
	_, err = ArchFromJSON(space, map[string]any{"genotype": "darts-v2"})
	if e := fails(t, err, ErrConfig); !strings.Contains(e.Message, "normal and reduce differ") {
		t.Errorf("%q", e.Message)
	}
}
