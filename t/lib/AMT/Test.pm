package AMT::Test;

# A real nginx with the modules loaded, in a directory of its own, on free
# ports of 127.0.0.1.  Stops it at the end and fails the test on [alert],
# [emerg], sanitizer and valgrind reports.
#
#   my $t = AMT::Test->new(user => 'www-data', workers => 2);
#       nginx => AMT::Test::test_nginx() runs that one instead
#   $t->certs;                              # root.crt mps.crt mps.key web.*
#   $t->start(main => ..., stream => ..., http => ...);
#       %%DIR%% is the directory, %%PORT:name%% a free port
#   my $r = $t->get('/api/v1/devices', key => $key);       # https, port "https"
#   is($r->{status}, 200);  $r->{json}, $r->{body}, $r->{headers}
#   $t->reload; $t->kill_worker; $t->upgrade; $t->stop;
#
# Environment: AMT_BUILD (build directory), AMT_VARIANT (empty, asan,
# valgrind), AMT_NGINX (a server that has stream built in, instead of Debian's),
# AMT_KEEP (keeps the directory), AMT_DEBUG (debug log), AMT_DIRECT
# (amt_device_direct, for tests that do not set it).

use strict;
use warnings;
use Carp;
use Cwd qw(abs_path getcwd);
use Errno;
use Fcntl qw(:flock);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Socket::INET;
use IO::Socket::SSL;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX qw(:sys_wait_h);
use Scalar::Util;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Time::HiRes qw(sleep time);

my @live;

$SIG{PIPE} = 'IGNORE';

# so that END runs and stops what was started
$SIG{INT} = $SIG{TERM} = $SIG{HUP} = sub { exit 1 };

sub variant { $ENV{AMT_VARIANT} || '' }
sub build { abs_path($ENV{AMT_BUILD} || 'build') }

# The server with the test module of t/unit/amt_nginx.c in it
sub test_nginx {
    return build() . (variant() eq 'valgrind' ? '/valgrind' : '/unit')
        . '/amt_nginx';
}

# How much slower things may be: sanitizers 3, valgrind 20.
sub slow { { asan => 3, valgrind => 20 }->{variant()} || 1 }

# How much times have to be stretched that pass in any case: pauses, and
# timeouts of the server that a test waits for.
sub pace { { asan => 3, valgrind => 4 }->{variant()} || 1 }

sub new {
    my ($class, %o) = @_;
    my $self = bless { workers => 1, log_level => 'info', %o }, $class;

    $self->{pid} = $$;
    $self->{dir} = tempdir('amt-XXXXXXXX', DIR => '/tmp', CLEANUP => 0);
    $self->{ports} = {};
    # nginx's own hash shifts bytes into the sign
    $self->{allow} = [qr/ngx_murmurhash\.c:\d+:\d+: runtime error: left shift/];
    # its debug log copies empty strings
    push @{$self->{allow}},
        qr/ngx_string\.c:\d+:\d+: runtime error: null pointer passed/
        if $ENV{AMT_DEBUG} || $self->{log_level} eq 'debug';
    $self->{root} = getcwd();
    chmod($self->{user} ? 0711 : 0700, $self->{dir});
    mkdir "$self->{dir}/logs";
    push @live, $self;
    Scalar::Util::weaken($live[-1]);

    return $self;
}

sub dir { $_[0]{dir} }

# A free port by name; the same name gives the same port.  It is this test's as
# long as it runs, whether it listens or not: others look at the name of a
# socket, too.
sub port {
    my ($self, $name) = @_;

    return $self->{ports}{$name} ||= do {
        my $port;
        for (1 .. 200) {
            $port = 10240 + int rand 20000;
            my $mine = IO::Socket::UNIX->new(Local => "\0amt-port-$port",
                Listen => 1);
            if ($mine && IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                LocalPort => $port, Proto => 'tcp', Listen => 1,
                ReuseAddr => 1))
            {
                push @{$self->{reserved}}, $mine;
                last;
            }
            undef $port;
        }
        $port || croak 'no free port';
    };
}

sub write_file {
    my ($self, $name, $content, $mode) = @_;
    my $path = $name =~ m{^/} ? $name : "$self->{dir}/$name";

    open my $f, '>', $path or croak "$path: $!";
    binmode $f;
    print $f $content;
    close $f;
    chmod $mode, $path if defined $mode;
    if ($self->{user} && $> == 0) {
        chown((getpwnam $self->{user})[2, 3], $path);
    }

    return $path;
}

sub read_file {
    my ($self, $name) = @_;
    my $path = $name =~ m{^/} ? $name : "$self->{dir}/$name";

    open my $f, '<', $path or return '';
    binmode $f;
    local $/;

    return scalar <$f> // '';
}

# root.crt, mps.crt (chain), mps.key, web.crt, web.key: made once per build,
# by one of those that run at the same time.
sub certs {
    my ($self) = @_;
    my $dir = build() . '/certs';

    open my $lock, '>', "$dir.lock" or croak "$dir.lock: $!";
    flock $lock, LOCK_EX or croak "$dir.lock: $!";

    unless (-f "$dir/done") {
        remove_tree($dir);
        mkdir $dir or croak "$dir: $!";
        my $sh = <<'SH';
set -e
openssl req -x509 -newkey rsa:2048 -nodes -sha256 -days 3650 \
    -keyout root.key -out root.crt -subj '/CN=MPSRoot-test' \
    -addext basicConstraints=CA:TRUE
for n in mps web; do
    openssl req -newkey rsa:2048 -nodes -keyout $n.key -out $n.csr \
        -subj '/CN=localhost'
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n%s\n' \
        extendedKeyUsage=serverAuth > $n.ext
    openssl x509 -req -in $n.csr -CA root.crt -CAkey root.key \
        -CAcreateserial -sha256 -days 3650 -extfile $n.ext -out $n.leaf
    cat $n.leaf root.crt > $n.crt
done
touch done
SH
        system('sh', '-c', "cd $dir && { $sh } >log 2>&1") == 0
            or croak "certificates: see $dir/log";
    }
    close $lock;

    for my $n (qw(root.crt mps.crt mps.key web.crt web.key)) {
        $self->write_file($n, $self->read_file("$dir/$n"), 0600);
    }
}

sub expand {
    my ($self, $text) = @_;

    $text =~ s/%%DIR%%/$self->{dir}/g;
    $text =~ s/%%ROOT%%/$self->{root}/g;
    $text =~ s/%%PORT:(\w+)%%/$self->port($1)/ge;

    return $text;
}

# Writes nginx.conf from its parts; does not start anything.
sub config {
    my ($self, %part) = @_;

    $part{$_} = $self->expand($part{$_} // '') for qw(main stream http events);
    $part{events} ||= 'worker_connections 4096;';

    my $modules = variant() eq 'asan' ? build() . '/asan' : build() . '/modules';
    my $load = $self->{nginx} ? '' : join '', map { "load_module $_;\n" }
        grep { variant() ne 'asan' && !$ENV{AMT_NGINX} || !m{^/usr/} }
        '/usr/lib/nginx/modules/ngx_stream_module.so',
        "$modules/ngx_stream_cira_module.so",
        "$modules/ngx_http_amt_module.so";
    my $user = $> == 0 ? 'user ' . ($self->{user} || 'root') . ';' : '';
    my $error_log = $self->{error_log} || "$self->{dir}/logs/error.log";
    my $level = $ENV{AMT_DEBUG} ? 'debug' : $self->{log_level};
    my $direct = $ENV{AMT_DIRECT} ? "amt_device_direct $ENV{AMT_DIRECT};" : '';
    my $stream = length $part{stream} ? "stream {\n$part{stream}\n}\n" : '';
    my $http = length $part{http} ? <<EOF : '';
http {
    access_log $self->{dir}/logs/access.log;
    client_body_temp_path $self->{dir}/body;
    proxy_temp_path $self->{dir}/proxy;
    fastcgi_temp_path $self->{dir}/fastcgi;
    uwsgi_temp_path $self->{dir}/uwsgi;
    scgi_temp_path $self->{dir}/scgi;
    $direct

$part{http}
}
EOF

    $self->write_file('nginx.conf', <<EOF, 0644);
$load$user
pid $self->{dir}/nginx.pid;
lock_file $self->{dir}/nginx.lock;
error_log $error_log $level;
worker_processes $self->{workers};
env ASAN_OPTIONS;
env UBSAN_OPTIONS;
$part{main}
events {
    $part{events}
}
$stream$http
EOF
}

sub command {
    my ($self, @args) = @_;
    my $dir = $self->{dir};

    return ($self->watched($self->{nginx} || packaged()), '-p', $dir,
        '-c', "$dir/nginx.conf",
        '-e', $self->{error_log} || "$dir/logs/error.log", @args);
}

sub packaged {
    return variant() eq 'asan' ? build() . '/asan/nginx'
        : $ENV{AMT_NGINX} || '/usr/sbin/nginx';
}

# How a program is started where valgrind watches
sub watched {
    my ($self, @cmd) = @_;

    return @cmd if variant() ne 'valgrind';
    return ('valgrind', '-q', '--leak-check=no', '--num-callers=24',
        "--log-file=$self->{dir}/logs/valgrind.%p",
        "--suppressions=$self->{root}/t/valgrind.supp", @cmd);
}

# What it is told where sanitizers do
sub sanitizers {
    my ($self) = @_;
    my $more = $self->{asan_options} ? ":$self->{asan_options}" : '';

    return (ASAN_OPTIONS => 'detect_leaks=0:abort_on_error=0:'
            . "log_path=$self->{dir}/logs/asan$more",
        UBSAN_OPTIONS => "print_stacktrace=1:log_path=$self->{dir}/logs/ubsan");
}

sub run {
    my ($self, @args) = @_;

    local %ENV = (%ENV, $self->sanitizers);

    my $pid = open(my $out, '-|') // croak "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec $self->command(@args) or exit 127;
    }
    local $/;
    my $text = <$out> // '';
    close $out;

    return ($?, $text);
}

# nginx -t with these parts: (true when it passed, output)
sub check {
    my ($self, %part) = @_;

    local $self->{error_log} = "$self->{dir}/logs/check.log";
    $self->config(%part) if %part;
    my ($rc, $text) = $self->run('-t');

    return ($rc == 0, $text);
}

sub start {
    my ($self, %part) = @_;

    $self->config(%part) if %part;
    if (-f "$self->{dir}/logs/error.log") {
        rename "$self->{dir}/logs/error.log",
            "$self->{dir}/logs/error.log." . time;
    }
    my ($rc, $text) = $self->run('-g', 'daemon on;');
    if ($rc) {
        diag($text, $self->log);
        BAIL_OUT("nginx does not start: $text") unless $self->{may_fail};
        return 0;
    }
    $self->wait_for(sub { -s "$self->{dir}/nginx.pid" }) or croak 'no pid file';
    $self->{started} = 1;
    push @{$self->{masters}}, $self->master;
    $self->wait_for(sub { $self->workers >= $self->{workers} });

    return 1;
}

sub master {
    my ($self) = @_;
    my ($pid) = $self->read_file('nginx.pid') =~ /(\d+)/;

    return $pid;
}

# Pids of the (non exiting unless all => 1) worker processes
sub workers {
    my ($self, %o) = @_;
    my $master = $o{master} || $self->master or return;
    my $is = variant() eq 'valgrind' ? \&serves : \&titled;

    return grep { $is->($self, $_, $o{all}, $master) }
        split ' ', $self->children($master);
}

# How often each of the texts is in the memory that the process may write;
# nothing when that cannot be read.
sub in_memory {
    my ($self, $pid, @texts) = @_;
    my $longest = (sort { $b <=> $a } map { length } @texts)[0];
    my %n = map { $_ => 0 } @texts;

    open my $maps, '<', "/proc/$pid/maps" or return;
    open my $mem, '<:raw', "/proc/$pid/mem" or return;

    while (my $line = <$maps>) {
        my ($from, $to, $what) = $line =~ /^(\w+)-(\w+) rw\S+ \S+ \S+ \S+\s*(.*)/
            or next;
        next if $what =~ /^\[v/;
        no warnings 'portable';
        my ($pos, $end, $keep) = (hex $from, hex $to, '');
        next if $end - $pos > 1 << 28;           # reserved by a sanitizer

        while ($pos < $end) {
            sysseek $mem, $pos, 0 or last;
            my $size = sysread $mem, my $buf, ($end - $pos > 1 << 20
                                               ? 1 << 20 : $end - $pos);
            last unless $size;
            my $text = $keep . $buf;
            for (@texts) {
                my $re = quotemeta;
                $n{$_}++ while $text =~ /$re/g;
            }
            $keep = length $text < $longest
                ? $text : substr $text, 1 - $longest;
            $pos += $size;
        }
    }

    return @n{@texts};
}

sub titled {
    my ($self, $pid, $all) = @_;
    my $title = $self->read_file("/proc/$pid/cmdline");

    return $title =~ /worker process/ && ($all || $title !~ /shutting down/);
}

# Under valgrind the title stays what it was, and the master has children that
# are no workers.  A worker is ready when it waits for events of the channel it
# shares with its master; one that does not exit listens to what the master
# does, too.  Workers with secrets cannot be looked into by their own user: then
# the log has to tell.
sub serves {
    my ($self, $pid, $all, $master) = @_;
    my %fd = fds($pid);
    my %of_master = reverse fds($master);
    my %listens;

    if ($> && !%fd) {
        my $log = $self->log;
        return $self->read_file("/proc/$pid/stat") !~ /\) Z /
            && $log =~ /start worker process $pid$/m
            && ($all || $log !~ /\b$pid#\d+: gracefully shutting/);
    }

    $listens{"socket:[$_]"} = 1 for
        $self->read_file('/proc/net/tcp')
            =~ /^ *\d+: \S+ \S+ 0A \S+ \S+ \S+ +\d+ +\d+ (\d+)/mg,
        $self->read_file('/proc/net/unix')
            =~ /^\S+ \S+ \S+ 00010000 \S+ \S+ +(\d+)/mg;

    my @shared = grep { exists $of_master{$_} } map { $fd{$_} // () }
        map { $self->read_file("/proc/$pid/fdinfo/$_") =~ /^tfd: +(\d+)/mg }
        grep { $fd{$_} eq 'anon_inode:[eventpoll]' } keys %fd;

    return 0 unless grep { /^socket:/ && !$listens{$_} } @shared;
    return $all
        || !!grep { $listens{$_} && exists $of_master{$_} } values %fd;
}

sub fds {
    my ($pid) = @_;
    return map { m{(\d+)$} && ($1 => readlink($_) // '') }
        glob "/proc/$pid/fd/*";
}

sub children {
    my ($self, $pid) = @_;
    my @found;

    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $f, '<', $stat or next;
        my $line = <$f> // next;
        push @found, $1 if $line =~ /^(\d+) \(.*\) \S (\d+)/ && $2 == $pid;
    }

    return join ' ', @found;
}

# Waits until code is true; returns its value or false after the time.
sub wait_for {
    my ($self, $code, $seconds) = @_;
    my $end = time + ($seconds || 5) * slow();
    my $value;

    until ($value = $code->()) {
        return $value if time > $end;
        sleep 0.02;
    }

    return $value;
}

sub log { $_[0]->read_file('logs/error.log') }

sub log_wait {
    my ($self, $re, $seconds) = @_;
    return $self->wait_for(sub { $self->log =~ $re }, $seconds);
}

# Lines that match are no failure.
sub allow { my ($self, $re) = @_; push @{$self->{allow}}, $re; }

sub signal { my ($self, $sig) = @_; kill $sig, $self->master; }

# HUP, and waits for new workers
sub reload {
    my ($self) = @_;
    my %old = map { $_ => 1 } $self->workers(all => 1);

    $self->signal('HUP');

    return $self->wait_for(sub {
        (grep { !$old{$_} } $self->workers) >= $self->{workers}
    });
}

# SIGKILLs a worker (the first, or the given pid) and waits for a new one
sub kill_worker {
    my ($self, $pid) = @_;

    $self->allow(qr/exited on signal 9/);
    ($pid) = $self->workers unless $pid;
    kill 'KILL', $pid;
    delete $self->{ua};    # its connection may have been with that worker

    return $self->wait_for(sub {
        my @w = $self->workers;
        @w >= $self->{workers} && !grep { $_ == $pid } @w;
    });
}

# SIGSTOP, and waits until each has stopped: a connection that is made before
# may still wake it, and nobody else.
sub stop_workers {
    my ($self, @pids) = @_;

    kill 'STOP', @pids;
    for my $pid (@pids) {
        $self->wait_for(sub {
            open my $f, '<', "/proc/$pid/stat" or return 1;
            return <$f> =~ /\) T /;
        });
    }
}

# An nginx that has ended stays as a zombie where it is nobody's child and the
# first process does not ask for those, as in some containers.
sub ended {
    my ($pid) = @_;

    kill 0, $pid or return 1;
    open my $f, '<', "/proc/$pid/stat" or return 1;
    return (<$f> // '') =~ /\) Z / ? 1 : 0;
}

# USR2: starts a new master; returns the old master's pid
sub upgrade {
    my ($self) = @_;
    my $old = $self->master;

    kill 'USR2', $old;
    $self->wait_for(sub {
        my $new = $self->master;
        $new && $new != $old && $self->workers(master => $new)
            >= $self->{workers};
    }, 10) or return;
    push @{$self->{masters}}, $self->master;

    return $old;
}

sub stop {
    my ($self, $sig) = @_;
    my $pid = $self->master or return;

    # the master kills what takes longer than two seconds to exit
    $self->allow(qr/exited on signal 9/) if variant() eq 'valgrind';

    kill $sig || 'TERM', $pid;
    my $gone = $self->wait_for(sub { ended($pid) }, 15);
    unless ($gone) {
        fail("nginx $pid stops");
        kill 'KILL', map({ $_ } split ' ', $self->children($pid)), $pid;
    }
    unlink "$self->{dir}/nginx.pid";

    return $gone;
}

# What the logs hold that must not be there
sub problems {
    my ($self) = @_;
    my @bad;

    for my $file (glob "$self->{dir}/logs/error.log*") {
        push @bad, grep { /\[(?:alert|emerg)\]|Sanitizer:|runtime error:/ }
            split /\n/, $self->read_file($file);
    }
    for my $file (glob "$self->{dir}/logs/{asan,ubsan,valgrind}.*") {
        push @bad, split /\n/, $self->read_file($file);
    }
    for my $re (@{$self->{allow}}) {
        @bad = grep { !/$re/ } @bad;
    }

    return @bad;
}

# Stops and checks the logs: one test.  Called at the end by itself.
sub finish {
    my ($self) = @_;

    return if $self->{finished}++ || $$ != $self->{pid};
    $self->stop if $self->{started};
    if ($self->{started}) {
        my @bad = $self->problems;
        ok(!@bad, 'no alerts and no sanitizer reports')
            or diag(join "\n", @bad[0 .. ($#bad < 60 ? $#bad : 60)]);
    }
    $self->reap;
    if ($ENV{AMT_KEEP}) {
        diag("kept: $self->{dir}");
    } else {
        remove_tree($self->{dir});
    }
}

# What is still there after the end, a master that lost its pid file, say
sub reap {
    my ($self) = @_;

    for my $pid (@{$self->{masters}}) {
        my $cmd = $self->read_file("/proc/$pid/cmdline");
        next unless index($cmd, $self->{dir}) >= 0;
        kill 'KILL', $pid, split ' ', $self->children($pid);
    }
}

# For programs that are no test: stops, prints what is wrong
sub finish_quietly {
    my ($self) = @_;

    $self->{finished}++;
    $self->stop;
    print STDERR "$_\n" for $self->problems;
    $self->reap;
    remove_tree($self->{dir}) unless $ENV{AMT_KEEP};
}

# done_testing() after all servers are stopped and checked
sub done {
    $_->finish for grep { $_ } @live;
    done_testing();
}

END { $_->finish for grep { $_ && $_->{pid} == $$ } @live; }

# A test that dies, or a block that ends, takes the object away before END
sub DESTROY {
    my ($self) = @_;

    return if ${^GLOBAL_PHASE} eq 'DESTRUCT';
    local ($?, $!, $@);
    $self->finish;
}

# ---- HTTP ------------------------------------------------------------------

# $t->request('POST', '/path', key => API key, token => bearer token,
#     json => data, body => bytes, headers => {}, port => name or number,
#     scheme => 'https', timeout => seconds)
sub request {
    my ($self, $method, $path, %o) = @_;
    my $scheme = $o{scheme} || ($self->{ports}{https} ? 'https' : 'http');
    my $port = $o{port} || $scheme;
    my %headers = %{$o{headers} || {}};

    $port = $self->port($port) if $port !~ /^\d+$/;
    $headers{'X-API-Key'} = $o{key} if defined $o{key};
    $headers{Authorization} = "Bearer $o{token}" if defined $o{token};
    if (exists $o{json}) {
        $headers{'Content-Type'} ||= 'application/json';
        $o{body} = JSON::PP->new->utf8->canonical->allow_nonref
            ->encode($o{json});
    }

    $self->{ua} ||= HTTP::Tiny->new(max_redirect => 0, verify_SSL => 0,
        keep_alive => 1);
    $self->{ua}{timeout} = $o{timeout} || 30 * slow();
    my $r = $self->{ua}->request($method, "$scheme://127.0.0.1:$port$path",
        { headers => \%headers,
          defined $o{body} ? (content => $o{body}) : () });

    # head and body are two writes: without it the second waits for 40 ms
    if (my $kept = $self->{ua}{handle}) {
        setsockopt $kept->{fh}, IPPROTO_TCP, TCP_NODELAY, 1 if $kept->{fh};
    }

    return { status => $r->{status}, headers => $r->{headers},
        body => $r->{content} // '',
        json => scalar eval { JSON::PP->new->utf8->allow_nonref
            ->decode($r->{content}) } };
}

sub get { my $self = shift; $self->request('GET', @_) }
sub post { my $self = shift; $self->request('POST', @_) }
sub patch { my $self = shift; $self->request('PATCH', @_) }
sub put { my $self = shift; $self->request('PUT', @_) }
sub delete { my $self = shift; $self->request('DELETE', @_) }

# A connected socket: port name or number, or unix:PATH; ssl => {} for TLS
sub socket {
    my ($self, $to, %o) = @_;

    if ($to =~ /^unix:(.*)/) {
        return IO::Socket::UNIX->new(Peer => $1, Type => SOCK_STREAM);
    }
    $to = $self->port($to) if $to !~ /^\d+$/;
    if ($o{ssl}) {
        return IO::Socket::SSL->new(PeerAddr => '127.0.0.1',
            PeerPort => $to, SSL_verify_mode => SSL_VERIFY_NONE, %{$o{ssl}});
    }

    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $to,
        Proto => 'tcp');
}

# Sends bytes, reads until EOF or timeout
sub exchange {
    my ($self, $socket, $bytes, $seconds) = @_;
    my ($all, $buf) = ('', '');

    local $SIG{ALRM} = sub { die "timeout\n" };
    local $SIG{PIPE} = 'IGNORE';
    eval {
        Time::HiRes::alarm(($seconds || 5) * slow());
        $socket->syswrite($bytes) if length $bytes;
        while ($socket->sysread($buf, 65536)) { $all .= $buf }
        Time::HiRes::alarm(0);
    };
    Time::HiRes::alarm(0);

    return $all;
}

# Resident anonymous memory of a process, bytes
sub rss {
    my ($self, $pid) = @_;
    my ($kb) = $self->read_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m;

    return ($kb || 0) * 1024;
}

1;
