package settings_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// writeKeys writes one file of each kind.
func writeKeys(t *testing.T) map[string]string {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(p256)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shop"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, p256.Public(), p256)
	require.NoError(t, err)

	dir, files := t.TempDir(), make(map[string]string)
	write := func(name string, data ...[]byte) {
		files[name] = filepath.Join(dir, name+".pem")
		require.NoError(t, os.WriteFile(files[name], slices.Concat(data...), 0o600))
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		return block("PRIVATE KEY", der)
	}
	write("rsa", pkcs8(rsaKey))
	write("p256", pkcs8(p256))
	write("p384", pkcs8(p384))
	write("ed25519", pkcs8(ed))
	write("pkcs1", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)))
	write("sec1", block("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}), block("EC PRIVATE KEY", sec1))
	write("cert", block("CERTIFICATE", cert), pkcs8(p256))
	write("text", []byte("not a key"))
	_, err = tls.LoadX509KeyPair(files["cert"], files["cert"])
	require.NoError(t, err)
	return files
}
