// A small web app on Go's standard library alone.
package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// A dyno gets SIGTERM, then 30 s until SIGKILL.
const drainTimeout = 25 * time.Second

func main() {
	server := &http.Server{
		Addr:              "0.0.0.0:" + setting("PORT", "5000"),
		Handler:           routes(setting("GREETING", "Hello from Go")),
		ReadHeaderTimeout: 10 * time.Second,
	}
	drained := make(chan struct{})
	go drainOnTerm(server, drained)

	log.Printf("Listening on %s", server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-drained
}

func routes(greeting string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html>\n<title>go-web</title>\n<h1>%s</h1>\n", html.EscapeString(greeting))
	})
	return mux
}

func drainOnTerm(server *http.Server, drained chan<- struct{}) {
	defer close(drained)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, os.Interrupt)
	<-term
	log.Print("SIGTERM: finishing the requests under way")
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		log.Print(err)
	}
}

func setting(name, standard string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return standard
}
