module nse.local/nse

go 1.24
