package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// sshd is a server for ssh on a port of its own on loopback, with keys made for the occasion.
type sshd struct {
	dir, config string // temporary; the client's configuration in it, for hosts of any name
	cmd         *exec.Cmd
	separated   bool // the directory that sshd wants was not there
}

// privilegeDir must exist where sshd is started by root.
const privilegeDir = "/run/sshd"

// startSSH starts an sshd; nil where it, or the client, is not installed, which it says.
func startSSH() (s *sshd, err error) {
	daemon, err := exec.LookPath("sshd")
	if err != nil {
		daemon, err = exec.LookPath("/usr/sbin/sshd")
	}
	for _, tool := range []string{"ssh", "ssh-keygen"} {
		if _, e := exec.LookPath(tool); e != nil {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		fmt.Printf("ssh is left out: %v\n\n", err)
		return nil, nil
	}
	s = &sshd{}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "trawl-sshd-"); err != nil {
		return s, err
	}
	if os.Geteuid() == 0 {
		s.separated = os.Mkdir(privilegeDir, 0o755) == nil
	}
	port, err := freePort()
	if err != nil {
		return s, err
	}
	if err := s.configure(port); err != nil {
		return s, err
	}
	s.cmd = exec.Command(daemon, "-D", "-q", "-f", filepath.Join(s.dir, "sshd_config"))
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return s, err
	}
	return s, s.ready()
}

// configure makes the keys and writes the configurations of both sides.
func (s *sshd) configure(port int) error {
	for _, key := range []string{"host", "user"} {
		out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(s.dir, key)).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ssh-keygen: %w: %s", err, out)
		}
	}
	s.config = filepath.Join(s.dir, "ssh_config")
	// Another home: what a user's shell does at its start (0.2 s of processor time of a pyenv, seen) is no cost of ssh.
	server := fmt.Sprintf("ListenAddress 127.0.0.1:%d\nHostKey %[2]s/host\nAuthorizedKeysFile %[2]s/user.pub\nPidFile none\n"+
		"SetEnv HOME=%[2]s\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nMaxStartups 100\n", port, s.dir)
	client := fmt.Sprintf("HostName 127.0.0.1\nPort %d\nIdentityFile %s/user\nIdentitiesOnly yes\nBatchMode yes\n"+
		"StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n", port, s.dir)
	return errors.Join(os.WriteFile(filepath.Join(s.dir, "sshd_config"), []byte(server), 0o600), os.WriteFile(s.config, []byte(client), 0o600))
}

// ready waits until one can log in.
func (s *sshd) ready() error {
	var said []byte
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if said, err = exec.Command("ssh", "-F", s.config, "node1", "true").CombinedOutput(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("nobody can log in: %w: %s", err, said)
}

// stop ends the server and removes its keys.
func (s *sshd) stop() {
	if s == nil {
		return
	}
	if s.cmd != nil {
		_ = s.cmd.Process.Kill() // it holds nothing
		_ = s.cmd.Wait()
	}
	if s.separated {
		_ = os.Remove(privilegeDir)
	}
	_ = os.RemoveAll(s.dir) // in the temporary directory
}

// peers are grep through ssh, one process a node at the same time, their outputs one after the other;
// and through pdsh. Each node greps its own file.
func (s *sshd) peers(files []string) []peer {
	if s == nil {
		return nil
	}
	dir := filepath.Dir(files[0])
	var hosts []string
	for _, file := range files {
		hosts = append(hosts, strings.TrimSuffix(filepath.Base(file), ".log"))
	}
	grep := func(host, token string) string { return fmt.Sprintf("grep -H -e %s %s/%s.log", token, dir, host) }
	all := []peer{{name: "ssh grep", argv: func(token string) []string {
		var script strings.Builder
		for i, host := range hosts {
			fmt.Fprintf(&script, "ssh -F %s %s %s > %s/%d & ", s.config, host, grep(host, token), s.dir, i)
		}
		script.WriteString("wait; cat")
		for i := range hosts {
			script.WriteString(" " + filepath.Join(s.dir, strconv.Itoa(i)))
		}
		return []string{"sh", "-c", script.String()}
	}}}
	if _, err := exec.LookPath("pdsh"); err != nil {
		fmt.Print("pdsh is not installed: left out\n\n")
		return all
	}
	return append(all, peer{name: "pdsh grep", argv: func(token string) []string {
		// That grep found nothing is no failure of pdsh, which else reports it.
		return []string{"pdsh", "-R", "exec", "-w", strings.Join(hosts, ","), "ssh", "-F", s.config, "%h", grep("%h", token) + " || true"}
	}, trim: afterNode})
}

// freePort is a port of loopback that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
