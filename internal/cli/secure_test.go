package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/weirstream/weir/pipeline"
)

// selfSigned makes a certificate for 127.0.0.1 and returns it with the path of its PEM.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "weir test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// TestEncryptedAndAuthenticatedServers runs the operator against a Kafka with TLS and each
// SASL mechanism and a Redis with a password; with a wrong Kafka password it must not
// become ready, nor tell the password.
func TestEncryptedAndAuthenticatedServers(t *testing.T) {
	cert, ca := selfSigned(t)
	for mechanism, fake := range map[string]string{
		"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512",
	} {
		t.Run(mechanism, func(t *testing.T) {
			broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100*time.Millisecond),
				kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}}),
				kfake.EnableSASL(), kfake.Superuser(fake, "weir", "river-secret"))
			if err != nil {
				t.Fatal(err)
			}
			defer broker.Close()
			redis := miniredis.RunT(t)
			redis.RequireAuth("dam-secret")
			r := connect(t, servers{kafka: broker.ListenAddrs()[0], redis: redis.Addr()}, 2)
			login := []string{
				"kafka.tls.enabled=true", "kafka.tls.ca_file=" + ca, "kafka.sasl.mechanism=" + mechanism,
				"kafka.sasl.username=weir", "state.redis.password=dam-secret",
			}
			r.conn = secureConnection(t, r, append(login, "kafka.sasl.password=river-secret"))
			r.createTopics(t)
			rows := outageEvents(0, 3)
			if err := r.produceRows(t.Context(), rows, 1000); err != nil {
				t.Fatal(err)
			}
			refused := r.operateLogged(t, append(login, "kafka.sasl.password=wrong-secret"))
			if strings.Contains(refused, "-secret") {
				t.Errorf("the log tells a password:\n%s", refused)
			}
			r.operate(t, append(login, "kafka.sasl.password=river-secret")...)
			r.waitOutputs(t, 15)
		})
	}
}

// secureConnection returns a connection with the operator's own settings.
func secureConnection(t *testing.T, r *rig, settings []string) *pipeline.Connection {
	t.Helper()
	var flags configFlags
	for i, arg := range r.settings(settings...) {
		if i%2 == 1 {
			flags.Set = append(flags.Set, arg)
		}
	}
	cfg, err := flags.load()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := openKafka(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// operateLogged runs the operator until it has failed to reach Kafka, and returns its log.
func (r *rig) operateLogged(t *testing.T, settings []string) string {
	t.Helper()
	var log lockedBuffer
	svc, stop := r.operateTo(t, &log, settings...)
	until(t, time.Minute, "refusal", func() bool { return strings.Contains(log.String(), "prepare topics") })
	if svc.telemetry.health.Ready() {
		t.Error("ready with a wrong password")
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	return log.String()
}
