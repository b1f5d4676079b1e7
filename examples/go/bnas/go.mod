module bnas

go 1.24

require github.com/nse-project/nse/bindings/go v0.0.0

replace github.com/nse-project/nse/bindings/go => ../../../bindings/go
