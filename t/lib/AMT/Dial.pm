package AMT::Dial;

# A dialer for CONNECT listeners, and a device that echoes what channels
# bring.
#
#   my $c = AMT::Dial->new($socket_path_or_port, $guid, 16992, %headers);
#   $c->status; $c->{headers}{'cira-reused'};     # waits for the answer
#   $c->send($bytes); $c->read(5);                # exactly 5 bytes
#   $c->release($state); $c->fin; $c->eof; $c->close;
#   my ($status, $headers, $body) = AMT::Dial::ask($path, "LIST * HTTP/1.1");
#
#   my $pid = AMT::Dial::echo($port, $file, @guids);    # reconnects

use strict;
use warnings;
use AMT::Apf;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw(sleep time);

sub open_socket {
    my ($where) = @_;

    return $where =~ m{^/}
        ? IO::Socket::UNIX->new(Peer => $where)
        : IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $where,
            Proto => 'tcp');
}

sub raw {
    my ($class, $where, $bytes) = @_;
    my $socket = open_socket($where) or return;
    my $self = bless { socket => $socket, in => '' }, $class;

    $self->send($bytes) if length($bytes // '');

    return $self;
}

sub new {
    my ($class, $where, $guid, $port, %headers) = @_;
    my $more = delete $headers{-more} // '';
    my $head = "CONNECT $guid:$port HTTP/1.1\r\n"
        . join('', map { "$_: $headers{$_}\r\n" } sort keys %headers);

    return $class->raw($where, "$head\r\n$more");
}

sub send {
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE';

    while (length $bytes) {
        my $n = syswrite $self->{socket}, $bytes or return 0;
        substr $bytes, 0, $n, '';
    }

    return 1;
}

sub fill {
    my ($self, $end) = @_;
    my $left = $end - time;

    return 0 if $left <= 0 || $self->{eof};
    IO::Select->new($self->{socket})->can_read($left) or return 0;
    my $n = sysread $self->{socket}, my $buf, 65536;
    if ($n) { $self->{in} .= $buf } else { $self->{eof} = 1 }

    return 1;
}

# Status of the answer, or undef when none comes; "" at a bare end
sub status {
    my ($self, $seconds) = @_;
    my $end = time + ($seconds // 10);

    return $self->{status} if exists $self->{status};
    while ($self->{in} !~ /\r\n\r\n/) {
        unless ($self->fill($end)) { return $self->{eof} ? '' : undef }
    }
    $self->{in} =~ s/^(.*?)\r\n\r\n//s;
    my ($line, @lines) = split /\r\n/, $1;
    $self->{headers} = { map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () } @lines };
    ($self->{status}) = $line =~ m{^HTTP/1\.1 (\d{3}) };

    return $self->{status};
}

# Exactly n bytes, or what came until the end
sub read {
    my ($self, $n, $seconds) = @_;
    my $end = time + ($seconds // 5);

    while (length $self->{in} < $n) { $self->fill($end) or last }

    return substr $self->{in}, 0, $n, '';
}

# All until the end; undef when it does not come
sub eof {
    my ($self, $seconds) = @_;
    my $end = time + ($seconds // 5);

    while (!$self->{eof}) { $self->fill($end) or last }

    return $self->{eof} ? substr $self->{in}, 0, length $self->{in}, '' : undef;
}

sub chunk { my ($self, $bytes) = @_; $self->send(sprintf "%x\r\n%s\r\n", length $bytes, $bytes) }
sub release {
    my ($self, $state) = @_;
    $self->send("0\r\n" . (defined $state ? "CIRA-State: $state\r\n" : '')
        . "\r\n");
}
sub fin { shutdown $_[0]{socket}, 1 }
sub close { close delete $_[0]{socket} }

sub ask {
    my ($where, $line, $seconds) = @_;
    my $c = AMT::Dial->raw($where, "$line\r\n\r\n") or return;
    my $status = $c->status($seconds);

    return ($status, $c->{headers}, $c->eof($seconds) // $c->{in});
}

our $patience = 5;       # seconds the devices of echo() wait for their login

# A process that is the devices, until it gets SIGTERM.  Writes lines
# "<guid> connected", "<guid> disconnected <reason>", "<guid> eof" to file.
sub echo {
    my ($port, $file, @guids) = @_;
    my $pid = fork // die "fork: $!";

    return $pid if $pid;

    $SIG{TERM} = sub { POSIX::_exit(0) };
    $SIG{PIPE} = 'IGNORE';
    open my $out, '>>', $file or POSIX::_exit(1);
    $out->autoflush(1);

    my %device;
    while (1) {
        for my $guid (@guids) {
            next if $device{$guid};
            my $d = AMT::Apf->connect($port) or next;
            $d->login('admin', 'x', guid => $guid, seconds => $patience) or next;
            $device{$guid} = $d;
            $d->{map} = {};
            print $out "$guid connected\n";
        }
        my $s = IO::Select->new(map { $_->{socket} } values %device);
        my %ready = map { $_ => 1 } $s->can_read(0.2);
        for my $guid (keys %device) {
            my $d = $device{$guid};
            next unless $ready{$d->{socket}} || $d->{socket}->pending
                || length $d->{in};
            while (my $m = $d->read(0.002)) {
                my $c = $m->{channel} // -1;
                if ($m->{type} eq 'eof' || $m->{type} eq 1) {
                    print $out $m->{type} eq 'eof' ? "$guid eof\n"
                        : "$guid disconnected $m->{reason}\n";
                    $d->close;
                    delete $device{$guid};
                    last;
                } elsif ($m->{type} == 90) {
                    my $r = 0;
                    $r++ while grep { $_ eq $r } values %{$d->{map}};
                    $d->{map}{$m->{channel}} = $r;
                    $d->send(AMT::Apf::confirm($m->{channel}, $r, 65536));
                } elsif ($m->{type} == 94) {
                    my ($l) = grep { $d->{map}{$_} == $c } keys %{$d->{map}};
                    $d->send(AMT::Apf::adjust($l, length $m->{data}),
                        AMT::Apf::data($l, $m->{data})) if defined $l;
                } elsif ($m->{type} == 97) {
                    my ($l) = grep { $d->{map}{$_} == $c } keys %{$d->{map}};
                    next unless defined $l;
                    delete $d->{map}{$l};
                    $d->send(AMT::Apf::close_channel($l));
                } elsif ($m->{type} == 208) {
                    $d->send(pack 'CN', 209, $m->{cookie});
                }
            }
        }
        sleep 0.05 unless %device;
    }
}

1;
