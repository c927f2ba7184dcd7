package node

import "testing"

func TestI08AProvinceThatWasTakenOutRefreshesNothing(t *testing.T) {
	c := Config{Provinces: []ProvinceConfig{{Code: "440000"}}}
	if !c.joined("440000") || c.joined("330000") || c.joined("") {
		t.Error("joined is not what the configuration says")
	}
}
