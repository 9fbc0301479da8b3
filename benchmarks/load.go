// The load: raw keep-alive connections that take next to nothing of the processor, so that the
// systems under load have it. `benchmarks.load` builds it and speaks with it: an order is one line of
// JSON on the standard input, its answer one line on the standard output.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// order is what to do: `post` so many jobs, `get` each job in turn, `finish` (ask for each job until
// it has its result), `follow` (post a job and ask until it has its result, one after another).
type order struct {
	Do          string
	Port        int
	Post, Get   string
	Count       int
	Connections int
	// PauseSeconds is between two questions about the same job.
	PauseSeconds float64
	// LimitSeconds is how long a job may take.
	LimitSeconds float64
}

type answer struct {
	Seconds float64 `json:"seconds"`
	// Processor is what this program has taken for it, in seconds.
	Processor float64   `json:"processor"`
	Latencies []float64 `json:"latencies"`
	Error     string    `json:"error"`
}

// jobs are the UUIDs of the last jobs that were posted.
var jobs []string

func main() {
	input := json.NewDecoder(os.Stdin)
	output := json.NewEncoder(os.Stdout)
	for {
		var next order
		if err := input.Decode(&next); err == io.EOF {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		before, started := processorSeconds(), time.Now()
		latencies, err := next.carryOut()
		done := answer{time.Since(started).Seconds(), processorSeconds() - before, latencies, ""}
		if err != nil {
			done.Error = err.Error()
		}
		if err := output.Encode(done); err != nil {
			log.Fatal(err)
		}
	}
}

func (o order) carryOut() ([]float64, error) {
	switch o.Do {
	case "post":
		jobs = make([]string, o.Count)
		return nil, o.spread(o.Count, func(c *connection, number int) (err error) {
			jobs[number], err = c.post(o.Post, number)
			return err
		})
	case "get":
		return nil, o.spread(o.Count, func(c *connection, number int) error {
			_, err := c.request("GET", o.pathOf(jobs[number%len(jobs)]), nil, 200)
			return err
		})
	case "finish":
		return nil, o.spread(len(jobs), func(c *connection, number int) error {
			// Jobs run in their order, so the last one's result comes about last.
			return o.wait(c, jobs[len(jobs)-1-number])
		})
	case "follow":
		latencies := make([]float64, o.Count)
		return latencies, o.spread(o.Count, func(c *connection, number int) error {
			started := time.Now()
			job, err := c.post(o.Post, number)
			if err == nil {
				err = o.wait(c, job)
			}
			latencies[number] = time.Since(started).Seconds()
			return err
		})
	}
	return nil, fmt.Errorf("no such order: %q", o.Do)
}

// spread does something so many times over the order's connections; it ends with the first error.
func (o order) spread(count int, do func(*connection, int) error) error {
	var next atomic.Int64
	failed := make(chan error, o.Connections)
	var open sync.WaitGroup
	for range o.Connections {
		open.Add(1)
		go func() {
			defer open.Done()
			c, err := connect(o.Port)
			for err == nil {
				number := int(next.Add(1)) - 1
				if number >= count {
					break
				}
				err = do(c, number)
			}
			if c != nil {
				c.socket.Close()
			}
			if err != nil {
				next.Store(int64(count))
				failed <- err
			}
		}()
	}
	open.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (o order) pathOf(job string) string { return strings.Replace(o.Get, "{}", job, 1) }

func (o order) wait(c *connection, job string) error {
	until := time.Now().Add(time.Duration(o.LimitSeconds * float64(time.Second)))
	for {
		body, err := c.request("GET", o.pathOf(job), nil, 200)
		if err != nil {
			return err
		}
		if code := field(body, `"resultCode":`); len(code) > 0 && code[0] != '-' {
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("no result of %s: %s", job, body)
		}
		time.Sleep(time.Duration(o.PauseSeconds * float64(time.Second)))
	}
}

type connection struct {
	socket net.Conn
	reader *bufio.Reader
}

func connect(port int) (*connection, error) {
	socket, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	return &connection{socket, bufio.NewReader(socket)}, nil
}

func (c *connection) post(path string, number int) (string, error) {
	body, err := c.request("POST", path, fmt.Appendf(nil, `{"n": %d}`, number), 201)
	if err != nil {
		return "", err
	}
	job, _, _ := bytes.Cut(field(body, `"uuid":`), []byte(`"`))
	return string(job), nil
}

// request makes a request and returns the body of the answer.
func (c *connection) request(method, path string, body []byte, wanted int) ([]byte, error) {
	text := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: localhost\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body)
	if _, err := c.socket.Write(text); err != nil {
		return nil, err
	}
	status, err := c.reader.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	got, _ := strconv.Atoi(string(status[9:12]))
	length := 0
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if len(name) == 14 && bytes.EqualFold(name, []byte("Content-Length")) {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		}
	}
	answered := make([]byte, length)
	if _, err := io.ReadFull(c.reader, answered); err != nil {
		return nil, err
	}
	if got != wanted {
		return nil, fmt.Errorf("%s %s: %d %s", method, path, got, answered)
	}
	return answered, nil
}

// field returns what follows a name in a JSON text, without the quote before it.
func field(text []byte, name string) []byte {
	_, after, _ := bytes.Cut(text, []byte(name))
	return bytes.TrimLeft(after, ` "`)
}

func processorSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func seconds(at syscall.Timeval) float64 { return float64(at.Sec) + float64(at.Usec)/1e6 }
