package timestamp

import (
	"strings"
	"testing"
	"time"
)

var berlin = mustZone("Europe/Berlin")

func mustZone(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return zone
}

// modTime is when the files of the table were written.
var modTime = time.Date(2024, 3, 17, 12, 0, 0, 0, time.UTC)

// forms are lines as they are met, with the instant they mean in zone Berlin, UTC+1 in winter.
var forms = []struct{ name, line, want string }{
	{"rfc 3339", `2024-01-02T15:04:05Z started`, "2024-01-02T15:04:05Z"},
	{"rfc 3339 nano", `2024-01-02T15:04:05.123456789Z started`, "2024-01-02T15:04:05.123456789Z"},
	{"offset", `2024-01-02T15:04:05+02:00 started`, "2024-01-02T13:04:05Z"},
	{"offset without colon", `2024-01-02T15:04:05.5-0730 started`, "2024-01-02T22:34:05.5Z"},
	{"offset of hours", `2024-01-02T15:04:05-07 started`, "2024-01-02T22:04:05Z"},
	{"no zone", `2024-01-02T15:04:05 started`, "2024-01-02T14:04:05Z"},
	{"blank", `2024-01-02 15:04:05 started`, "2024-01-02T14:04:05Z"},
	{"millis", `2024-01-02 15:04:05.123 started`, "2024-01-02T14:04:05.123Z"},
	{"date,millis", `2024-01-02 15:04:05,123 - INFO started`, "2024-01-02T14:04:05.123Z"},
	{"colon millis", `2024-01-02 15:04:05:123 INFO started`, "2024-01-02T14:04:05.123Z"},
	{"unpadded colon millis", `20240102-15:4:5:7|Step_LSC|started`, "2024-01-02T14:04:05.007Z"},
	{"apart offset", `2024-01-02 15:04:05 +0200 started`, "2024-01-02T13:04:05Z"},
	{"apart offset, millis", `2024-01-02 15:04:05.250 -05:00 INFO started`, "2024-01-02T20:04:05.25Z"},
	{"go time", `2024-01-02 15:04:05.999999999 +0100 CET started`, "2024-01-02T14:04:05.999999999Z"},
	{"postgres", `2024-01-02 15:04:05.123 CET [123] LOG: started`, "2024-01-02T14:04:05.123Z"},
	{"postgres utc", `2024-01-02 15:04:05.123 UTC [123] LOG: started`, "2024-01-02T15:04:05.123Z"},
	{"est", `2024-01-02 15:04:05 EST started`, "2024-01-02T20:04:05Z"},
	{"slashes", `2024/01/02 15:04:05 [error] 1234#0: *5 started`, "2024-01-02T14:04:05Z"},
	{"go log micros", `2024/01/02 15:04:05.123456 main.go:12: started`, "2024-01-02T14:04:05.123456Z"},
	{"dots", `2024.01.02 15:04:05 started`, "2024-01-02T14:04:05Z"},
	{"minutes only", `2024-01-02 15:04 started`, "2024-01-02T14:04:00Z"},
	{"underscore", `2024-01-02_15:04:05 started`, "2024-01-02T14:04:05Z"},
	{"dashes all through", `2024-01-02-15-04-05 started`, "2024-01-02T14:04:05Z"},
	{"blue gene", `2024-01-02-15.04.05.363779 R02 RAS KERNEL INFO`, "2024-01-02T14:04:05.363779Z"},
	{"basic", `20240102T150405Z started`, "2024-01-02T15:04:05Z"},
	{"basic millis", `20240102T150405.123+0200 started`, "2024-01-02T13:04:05.123Z"},
	{"fourteen digits", `20240102150405 started`, "2024-01-02T14:04:05Z"},
	{"compact blank", `20240102 150405 started`, "2024-01-02T14:04:05Z"},
	{"compact, colons", `20240102 15:04:05 started`, "2024-01-02T14:04:05Z"},
	{"windows cbs", `2024-01-02 15:04:05, Info   CBS   Loaded`, "2024-01-02T14:04:05Z"},
	{"comma between", `2024-01-02,15:04:05,10.0.0.1,GET`, "2024-01-02T14:04:05Z"},
	{"tab between", "2024-01-02\t15:04:05\t10.0.0.1\tGET", "2024-01-02T14:04:05Z"},
	{"syslog", `Jan  2 15:04:05 web1 sshd[12]: started`, "2024-01-02T14:04:05Z"},
	{"syslog of last year", `Nov 12 15:04:05 web1 sshd[12]: started`, "2023-11-12T14:04:05Z"},
	{"syslog leap day", `Feb 29 15:04:05 web1 sshd[12]: started`, "2024-02-29T14:04:05Z"},
	{"syslog millis", `Jan  2 15:04:05.123 web1 sshd[12]: started`, "2024-01-02T14:04:05.123Z"},
	{"syslog priority", `<34>Jan  2 15:04:05 web1 su: started`, "2024-01-02T14:04:05Z"},
	{"syslog priorities", "<34>Jan  2 15:04:05 web1 su: a\n<134>Jan  2 15:04:05 web1 su: b\n", "2024-01-02T14:04:05Z"},
	{"rfc 5424", `<34>1 2024-01-02T15:04:05.003Z host su - ID47 - failed`, "2024-01-02T15:04:05.003Z"},
	{"cisco", `Jan  2 2024 15:04:05: %ASA-6-302013: Built`, "2024-01-02T14:04:05Z"},
	{"year behind", `Jan  2 15:04:05 2024 started`, "2024-01-02T14:04:05Z"},
	{"ctime", `[Tue Jan 02 15:04:05 2024] [notice] started`, "2024-01-02T14:04:05Z"},
	{"ctime one digit", `Tue Jan  2 15:04:05 2024 started`, "2024-01-02T14:04:05Z"},
	{"apache micros", `[Tue Jan 02 15:04:05.123456 2024] [core:notice] [pid 1] started`, "2024-01-02T14:04:05.123456Z"},
	{"date(1)", `Tue Jan  2 15:04:05 UTC 2024 started`, "2024-01-02T15:04:05Z"},
	{"systemd", `Tue 2024-01-02 15:04:05 CET started`, "2024-01-02T14:04:05Z"},
	{"clf", `127.0.0.1 - frank [02/Jan/2024:15:04:05 -0700] "GET / HTTP/1.0" 200 2326`, "2024-01-02T22:04:05Z"},
	{"clf ipv6", `::1 - - [02/Jan/2024:15:04:05 +0000] "GET / HTTP/1.0" 200 2326`, "2024-01-02T15:04:05Z"},
	{"clf of a virtual host", `example.com:80 10.0.0.1 - - [02/Jan/2024:15:04:05 +0000] "GET /"`, "2024-01-02T15:04:05Z"},
	{"tomcat", `02-Jan-2024 15:04:05.123 INFO [main] started`, "2024-01-02T14:04:05.123Z"},
	{"oracle", `02-JAN-24 03.04.05.123456 PM started`, "2024-01-02T14:04:05.123456Z"},
	{"rfc 1123", `Tue, 02 Jan 2024 15:04:05 GMT started`, "2024-01-02T15:04:05Z"},
	{"rfc 1123 offset", `Tue, 02 Jan 2024 15:04:05 +0200 started`, "2024-01-02T13:04:05Z"},
	{"rfc 850", `Tuesday, 02-Jan-24 15:04:05 GMT started`, "2024-01-02T15:04:05Z"},
	{"rfc 822", `02 Jan 24 15:04 UTC started`, "2024-01-02T15:04:00Z"},
	{"javascript", `Tue Jan 02 2024 15:04:05 GMT+0100 (CET) started`, "2024-01-02T14:04:05Z"},
	{"month in full", `January 2, 2024 15:04:05 started`, "2024-01-02T14:04:05Z"},
	{"java util logging", `Jan 02, 2024 3:04:05 PM com.example.Main main`, "2024-01-02T14:04:05Z"},
	{"month in full at", `January 2, 2024 at 3:04 PM started`, "2024-01-02T14:04:00Z"},
	{"year first by name", `2024-Jan-02 15:04:05.123456 started`, "2024-01-02T14:04:05.123456Z"},
	{"american", `1/22/2024 3:04:05 PM started`, "2024-01-22T14:04:05Z"},
	{"american midnight", `1/22/2024 12:04:05 AM started`, "2024-01-21T23:04:05Z"},
	{"american noon", `1/22/2024 12:04:05PM started`, "2024-01-22T11:04:05Z"},
	{"day first", `22/01/2024 15:04:05 started`, "2024-01-22T14:04:05Z"},
	{"german", `22.01.2024 15:04:05,123 gestartet`, "2024-01-22T14:04:05.123Z"},
	{"two-digit year", `24/01/22 15:04:05 INFO started`, "2024-01-22T14:04:05Z"},
	{"hdfs", `240122 150405 148 INFO dfs.DataNode: started`, "2024-01-22T14:04:05Z"},
	{"klog", `I0102 15:04:05.123456   12 main.go:12] started`, "2024-01-02T14:04:05.123456Z"},
	{"glog with a year", `W20240102 15:04:05.123456   12 main.go:12] started`, "2024-01-02T14:04:05.123456Z"},
	{"android", `01-22 15:04:05.123  1702  2395 D WindowManager: started`, "2024-01-22T14:04:05.123Z"},
	{"proxifier", `[01.22 15:04:05] chrome.exe - proxy:5070 open`, "2024-01-22T14:04:05Z"},
	{"epoch", `1704207845 started`, "2024-01-02T15:04:05Z"},
	{"epoch decimals", `1704207845.123    56 10.0.0.1 TCP_MISS/200`, "2024-01-02T15:04:05.123Z"},
	{"epoch ms", `1704207845123 started`, "2024-01-02T15:04:05.123Z"},
	{"epoch ms decimals", `1704207845123.456789 started`, "2024-01-02T15:04:05.123456789Z"},
	{"epoch us", `1704207845123456 started`, "2024-01-02T15:04:05.123456Z"},
	{"epoch ns", `1704207845123456789 started`, "2024-01-02T15:04:05.123456789Z"},
	{"audit", `type=SYSCALL msg=audit(1704207845.123:456): arch=c000003e`, "2024-01-02T15:04:05.123Z"},
	{"json time", `{"level":"info","time":"2024-01-02T15:04:05.5Z","msg":"started"}`, "2024-01-02T15:04:05.5Z"},
	{"json blanks", `{ "@timestamp" : "2024-01-02T15:04:05Z", "msg": "started" }`, "2024-01-02T15:04:05Z"},
	{"json zap", `{"level":"info","ts":1704207845.123456,"msg":"started"}`, "2024-01-02T15:04:05.123456Z"},
	{"json ms", `{"level":"info","timestamp":1704207845123,"msg":"started"}`, "2024-01-02T15:04:05.123Z"},
	{"json mongo", `{"t":{"$date":"2024-01-02T15:04:05.123+00:00"},"s":"I","msg":"started"}`, "2024-01-02T15:04:05.123Z"},
	{"json docker", `{"log":"2023-01-01 01:01:01 started\n","stream":"stdout","time":"2024-01-02T15:04:05.123456789Z"}`, "2024-01-02T15:04:05.123456789Z"},
	{"json journald", `{"_PID":"1","__REALTIME_TIMESTAMP":"1704207845123456","MESSAGE":"started"}`, "2024-01-02T15:04:05.123456Z"},
	{"json other key", `{"level":"info","eventOccurred":"2024-01-02T15:04:05Z"}`, "2024-01-02T15:04:05Z"},
	{"json key in the message", `{"msg":"set \"time\": \"2001-01-01T00:00:00Z\"","time":"2024-01-02T15:04:05Z"}`, "2024-01-02T15:04:05Z"},
	{"logfmt", `level=info ts=2024-01-02T15:04:05.123Z caller=main.go:12 msg=started`, "2024-01-02T15:04:05.123Z"},
	{"logrus", `time="2024-01-02T15:04:05+01:00" level=info msg="started"`, "2024-01-02T14:04:05Z"},
	{"logfmt epoch", `level=info t=1704207845 msg=started`, "2024-01-02T15:04:05Z"},
	{"file name before", `nova-api.log.1.2017-05-16_13:53:08 2024-01-02 15:04:05.008 25746 INFO`, "2024-01-02T14:04:05.008Z"},
	{"grep output", `app.log:2024-01-02 15:04:05 started`, "2024-01-02T14:04:05Z"},
	{"host before", `web-1.example.com 2024-01-02T15:04:05Z started`, "2024-01-02T15:04:05Z"},
	{"pid before", `[4711] 2024-01-02 15:04:05 started`, "2024-01-02T14:04:05Z"},
	{"level before", `INFO  [2024-01-02 15:04:05,123] started`, "2024-01-02T14:04:05.123Z"},
	{"level right before", `WARN[2024-01-02T15:04:05Z] started`, "2024-01-02T15:04:05Z"},
	{"colour before", "\x1b[32m2024-01-02 15:04:05\x1b[0m started", "2024-01-02T14:04:05Z"},
	{"compose", `web-1  | 2024-01-02 15:04:05 started`, "2024-01-02T14:04:05Z"},
	{"bar behind", `2024-01-02 15:04:05|INFO|started`, "2024-01-02T14:04:05Z"},
	{"brackets between", `[2024-01-02][15:04:05] started`, "2024-01-02T14:04:05Z"},
	{"wget", `--2024-01-02 15:04:05--  http://example.com/`, "2024-01-02T14:04:05Z"},
	{"clock first", `15:04:05.123 2024-01-02 started`, "2024-01-02T14:04:05.123Z"},
	{"clock first, german", `15:04:05 22.01.2024 gestartet`, "2024-01-22T14:04:05Z"},
	{"cri", `2024-01-02T15:04:05.123456789Z stdout F 2001-01-01 01:01:01 started`, "2024-01-02T15:04:05.123456789Z"},
	{"leap second", `2016-12-31T23:59:60Z inserted`, "2017-01-01T00:00:00Z"},
	{"summer", `2023-07-02 15:04:05 started`, "2023-07-02T13:04:05Z"},
}

func TestForms(t *testing.T) {
	if len(forms) < 60 {
		t.Fatalf("%d forms only", len(forms))
	}
	for _, c := range forms {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			sample := []byte(c.line)
			form, ok := Detect(sample, Options{Zone: berlin, ModTime: modTime})
			if !ok {
				t.Fatalf("%s: no form", c.line)
			}
			want, err := time.Parse(time.RFC3339Nano, c.want)
			if err != nil {
				t.Fatal(err)
			}
			reader := form.NewReader()
			for line := range linesOf(sample) {
				for range 2 { // the second time from the cache
					if got, ok := reader.Time(line); !ok || got != want.UnixNano() {
						t.Errorf("%s: %s reads %v, %v; want %s", line, form.Name(), time.Unix(0, got).UTC().Format(time.RFC3339Nano), ok, c.want)
					}
				}
			}
			if reader.days[0].known != (form.readings[0].width > 0) {
				t.Errorf("%s: cached is %v", form.Name(), reader.days[0].known)
			}
		})
	}
}

// TestNoTimes holds that numbers and words that are no times are not read as some.
func TestNoTimes(t *testing.T) {
	for _, sample := range []string{
		"",
		"\n\n\n",
		"hello world\n",
		"user 1234567890 logged in\nuser 1034567890 logged in\nuser 1534567890 logged in\nuser 1134567890 logged in\n",
		"1000000001 a\n1000000002 b\n1000000003 c\n1000000004 d\n1000000005 e\n",
		"10.11.12.13 GET /\n10.11.12.14 GET /\n",
		"10.11.12.13:80 up\n192.168.10.11:8080 down\n",
		"v1.2.3 released\nversion 2024.1.2 of 10\n",
		"id=4111111111111111 amount=12\nid=4222222222222222 amount=13\n",
		"blk_-1608999687919862906 added\nblk_1608999687919862906 added\n",
		"123456 654321 a\n999999 123123 b\n",
		"3.14 2.71 1/2 3/4\n12-31 7-8\n",
		"550e8400-e29b-41d4-a716-446655440000 done\n",
		"00:1a:2b:3c:4d:5e up\n12:34:56:12:34:56 up\n",
		"+49 89 1234567 15:04\n",
		"2024-02-30 10:00:00 no such day\n",
		"2024-13-01 10:00:00 no such month\n",
		"2024-01-01 25:00:00 no such hour\n",
		"Jan 32 10:00:00 no such day\n",
		"Feb 30 10:00:00 no such day\n",
		"0000-00-00 00:00:00 null\n",
		`{"id":1704207845,"n":1}` + "\n" + `{"id":1704207845,"n":2}` + "\n",
		"15:04:05 no date\n15:04:06 none either\n",
		"2024-01-02 no clock\n",
	} {
		if form, ok := Detect([]byte(sample), Options{Zone: time.UTC, ModTime: modTime}); ok {
			t.Errorf("%q is read as %s", sample, form.Name())
		}
	}
}

// TestCache changes every byte of each line, after the line itself was read: with and without what a
// Reader remembers, the same comes out.
func TestCache(t *testing.T) {
	for _, c := range forms {
		form, ok := Detect([]byte(c.line), Options{Zone: berlin, ModTime: modTime})
		if !ok {
			t.Fatalf("%s: no form", c.line)
		}
		line := c.line[strings.LastIndexByte(strings.TrimSuffix(c.line, "\n"), '\n')+1:]
		reader := form.NewReader()
		check := func(changed string) {
			reader.Time([]byte(line))
			got, ok := reader.Time([]byte(changed))
			if want, known := form.Time([]byte(changed)); got != want || ok != known {
				t.Errorf("%s: %q after %q reads %d, %v; without cache %d, %v", form.Name(), changed, line, got, ok, want, known)
			}
		}
		for i := range line {
			check(line[:i])
			check(line[:i] + line[i+1:])
			for _, with := range []string{"0", "1", "2", "6", "9", " ", "\t", ":", ".", ",", "-", "+", "/", "Z", "P", "T", "x", "'", "[", "\x1b", " +0100", " CET", "+01", ":30", ".5", ",7", " 2023"} {
				check(line[:i] + with + line[i:])
				check(line[:i] + with + line[i+1:])
			}
		}
	}
}
