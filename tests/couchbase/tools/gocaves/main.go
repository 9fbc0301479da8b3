// gocaves: one cluster of Couchbase's own mock for the tests, with one node and one bucket.
//
// It writes where it is to the file named by -ready-file and serves until it is ended. Its services
// listen on all interfaces, which gocaves does not let us choose; so user and password are
// the test's own.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/couchbaselabs/gocaves/mock"
	"github.com/couchbaselabs/gocaves/mock/mockauth"
	"github.com/couchbaselabs/gocaves/mock/mockimpl"
	"github.com/couchbaselabs/gocaves/mock/mocktime"
)

// Few enough that the cluster's map is small, and more than one.
const vbuckets = 64

func main() {
	readyFile := flag.String("ready-file", "", "where to write the addresses")
	bucket := flag.String("bucket", "zerog", "name of the bucket")
	flag.Parse()
	chrono := &mocktime.Chrono{}
	cluster, err := start(chrono, *bucket, os.Getenv("GOCAVES_USER"), os.Getenv("GOCAVES_PASSWORD"))
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if err := announce(*readyFile, cluster, listener.Addr().String()); err != nil {
		log.Fatal(err)
	}
	// It logs every packet.
	log.SetOutput(io.Discard)
	http.HandleFunc("POST /clock", func(answer http.ResponseWriter, request *http.Request) {
		seconds, err := strconv.ParseFloat(request.FormValue("advance"), 64)
		if err != nil {
			http.Error(answer, err.Error(), http.StatusBadRequest)
			return
		}
		chrono.TimeTravel(time.Duration(seconds * float64(time.Second)))
	})
	_ = http.Serve(listener, nil)
	os.Exit(1)
}

func start(chrono *mocktime.Chrono, bucket, user, password string) (mock.Cluster, error) {
	cluster, err := mockimpl.NewCluster(mock.NewClusterOptions{Chrono: chrono, NumVbuckets: vbuckets})
	if err != nil {
		return nil, err
	}
	_, err = cluster.AddBucket(mock.NewBucketOptions{Name: bucket, Type: mock.BucketTypeCouchbase})
	if err != nil {
		return nil, err
	}
	return cluster, cluster.Users().UpsertUser(mockauth.UpsertUserOptions{
		Username: user, Password: password, Roles: []string{"admin"},
	})
}

func announce(path string, cluster mock.Cluster, control string) error {
	text, err := json.Marshal(map[string]string{
		"connection": cluster.ConnectionString(), "control": control,
	})
	if err != nil {
		return err
	}
	// Whoever waits for the file must find it whole.
	if err := os.WriteFile(path+".partial", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".partial", path)
}
