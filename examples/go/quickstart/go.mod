module quickstart

go 1.24

require nse.local/nse v0.0.0

replace nse.local/nse => ../../../bindings/go
