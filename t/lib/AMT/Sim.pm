package AMT::Sim;

# Starts the AMT device emulator (t/sim), waits for its events, looks into
# the emulated devices through the control socket, stops it.
#
#   my $sim = AMT::Sim->start(mps => "127.0.0.1:$port", count => 3);
#   $sim->wait_event('ready', guid => $sim->guid(0)) or die $sim->log;
#   is($sim->state(0)->{power}, 2);
#   $sim->misbehave(0, 'close-mid*1');
#   is($sim->stop, 0, 'the gateway kept to the protocol');
#
# Options are those of amtsim --help, with _ or - in the names; flags get 1.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX ();
use Time::HiRes qw(sleep time);

use AMT::Test;

my $top = abs_path(dirname(__FILE__) . '/../../..');

sub binary {
    return $ENV{AMTSIM} if $ENV{AMTSIM};

    my $build = $ENV{AMT_BUILD} || "$top/build";
    $build = "$top/$build" unless $build =~ m{^/};

    for my $name ("$build/amtsim", "$top/build/amtsim") {
        return $name if -x $name;
    }

    my $out = `make -s -C $top/t/sim OUT=$build 2>&1`;
    die "the emulator does not build:\n$out" if $?;

    return "$build/amtsim";
}

sub start {
    my ($class, %opt) = @_;

    my $dir = tempdir('amtsim-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $self = bless {
        dir => $dir, control => "$dir/control", events => [], seen => 0,
        guid => $opt{guid} || $opt{guid_base}
            || 'a0000000-0000-4000-8000-000000000001',
        timeout => (delete $opt{wait} || 10) * AMT::Test::slow(),
    }, $class;

    my @cmd = (binary(), '--events', '--control', "unix:$dir/control");

    while (my ($name, $value) = each %opt) {
        next unless defined $value;
        $name =~ tr/_/-/;
        # flags take no value
        if ($name =~ /^(probe-none|no-want-reply|plain|http-close|stale
                        |power-drop|no-lms|stats|stay)$/x)
        {
            push @cmd, "--$name" if $value;
            next;
        }
        push @cmd, "--$name=$value";
    }

    my $pid = fork();
    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/stdout" or die;
        open STDERR, '>', "$dir/stderr" or die;
        exec @cmd or POSIX::_exit(127);
    }

    $self->{pid} = $pid;
    $self->{owner} = $$;

    my $end = time + $self->{timeout};
    # the socket's file is there a moment before it listens
    while (!IO::Socket::UNIX->new(Peer => "$dir/control")) {
        die "amtsim did not start: " . $self->log
            if time > $end || waitpid($pid, POSIX::WNOHANG()) == $pid;
        sleep 0.01;
    }

    return $self;
}

# GUID of device number n

sub guid {
    my ($self, $n) = @_;
    my $hex = lc $self->{guid};
    $hex =~ tr/-//d;
    my @b = map { hex } $hex =~ /(..)/g;
    my $i = 15;
    my $carry = $n || 0;
    while ($carry && $i >= 0) {
        $carry += $b[$i];
        $b[$i--] = $carry & 255;
        $carry >>= 8;
    }
    my $s = join '', map { sprintf '%02x', $_ } @b;
    $s =~ s/^(.{8})(.{4})(.{4})(.{4})(.{12})$/$1-$2-$3-$4-$5/;
    return $s;
}

sub _who {
    my ($self, $n) = @_;
    return $n =~ /^\d+$/ ? "#$n" : $n;
}

# one line to the control socket, the decoded answer

sub cmd {
    my ($self, $line) = @_;

    my $s = $self->{socket};
    if (!$s) {
        $s = IO::Socket::UNIX->new(Peer => $self->{control})
            or die "control socket: $!\n" . $self->log;
        $self->{socket} = $s;
    }

    local $SIG{PIPE} = 'IGNORE';
    $s->syswrite("$line\n");

    my $buf = '';
    my $end = time + $self->{timeout};
    while ($buf !~ /\n/) {
        my $left = $end - time;
        die "amtsim did not answer \"$line\"\n" . $self->log
            unless $left > 0 && IO::Select->new($s)->can_read($left)
            && $s->sysread($buf, 65536, length $buf);
    }

    return decode_json($buf);
}

sub _ok {
    my ($self, $line) = @_;
    my $r = $self->cmd($line);
    die "$line: $r->{error}\n" if $r->{error};
    return $r;
}

sub state      { $_[0]->_ok('state ' . $_[0]->_who($_[1])) }
sub stats      { $_[0]->_ok('stats') }
sub instances  { $_[0]->_ok("get " . $_[0]->_who($_[1]) . " $_[2]")
                     ->{instances} }
sub set        { $_[0]->_ok("set " . $_[0]->_who($_[1]) . " $_[2] $_[3]") }
sub add        { $_[0]->_ok("add " . $_[0]->_who($_[1]) . " $_[2] $_[3]") }
sub misbehave  { $_[0]->_ok("misbehave " . $_[0]->_who($_[1]) . " $_[2]") }
sub drop       { $_[0]->_ok("drop " . $_[0]->_who($_[1]) . ' '
                     . ($_[2] // '')) }
sub disconnect { $_[0]->_ok("disconnect " . $_[0]->_who($_[1]) . ' '
                     . ($_[2] // '')) }
sub connect    { $_[0]->_ok("connect " . $_[0]->_who($_[1])) }
sub alert      { $_[0]->_ok("alert " . $_[0]->_who($_[1]) . " $_[2]") }
sub raw        { $_[0]->_ok("raw " . $_[0]->_who($_[1]) . " $_[2]") }

# events so far

sub events {
    my ($self) = @_;

    if (!$self->{fh}) {
        open $self->{fh}, '<', "$self->{dir}/stdout" or die;
        $self->{partial} = '';
    }

    seek $self->{fh}, 0, 1;
    while (defined(my $line = readline $self->{fh})) {
        $line = $self->{partial} . $line;
        $self->{partial} = '';
        if ($line !~ /\n$/) {
            $self->{partial} = $line;
            last;
        }
        push @{$self->{events}}, decode_json($line);
    }

    return $self->{events};
}

# forget the events so far: wait_event() looks at later ones only

sub mark {
    my ($self) = @_;
    $self->{seen} = @{$self->events};
    return $self;
}

# the first event after mark() with that name and those members, or undef

sub wait_event {
    my ($self, $name, %want) = @_;
    my $timeout = delete $want{timeout} || $self->{timeout};
    my $end = time + $timeout;

    while (1) {
        my $all = $self->events;

        EVENT:
        for my $e (@$all[$self->{seen} .. $#$all]) {
            next if $e->{event} ne $name;
            for my $k (keys %want) {
                next EVENT if !defined $e->{$k} || $e->{$k} ne $want{$k};
            }
            return $e;
        }

        return undef if time > $end;
        sleep 0.01;
    }
}

# until n devices are connected

sub wait_connected {
    my ($self, $n, $timeout) = @_;
    my $end = time + ($timeout || $self->{timeout});

    while (1) {
        return 1 if $self->stats->{connected} >= $n;
        return 0 if time > $end;
        sleep 0.02;
    }
}

sub log {
    my ($self) = @_;
    my $text = '';
    for my $name (qw(stderr stdout)) {
        open my $fh, '<', "$self->{dir}/$name" or next;
        local $/;
        $text .= "$name: " . (readline($fh) // '') . "\n";
    }
    return $text;
}

sub violations {
    my ($self) = @_;
    open my $fh, '<', "$self->{dir}/stderr" or return ();
    return grep { /^VIOLATION/ } readline $fh;
}

# resident memory in kB

sub rss {
    my ($self) = @_;
    open my $fh, '<', "/proc/$self->{pid}/status" or return 0;
    my ($kb) = map { /^RssAnon:\s+(\d+)/ ? $1 : () } readline $fh;
    return $kb // 0;
}

# exit code: 0 well, 1 no login, 3 the gateway violated the protocol

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return $self->{exit};

    eval { $self->cmd('quit'); 1 } or kill 'TERM', $pid;

    my $end = time + 30 * AMT::Test::slow();
    while (1) {
        my $r = waitpid $pid, POSIX::WNOHANG();
        last if $r == $pid || $r == -1;
        if (time > $end) {
            kill 'KILL', $pid;
            waitpid $pid, 0;
            last;
        }
        sleep 0.01;
    }

    return $self->{exit} = $? & 127 ? 128 + ($? & 127) : $? >> 8;
}

sub DESTROY {
    my ($self) = @_;
    return unless $self->{pid} && $self->{owner} == $$;
    local ($?, $@);
    $self->stop;
}

1;
