module github.com/nse-project/nse/bindings/go

go 1.24
