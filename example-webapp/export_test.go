package main

var (
	Main = main
	Run  = run

	Migrate = migrate
)
