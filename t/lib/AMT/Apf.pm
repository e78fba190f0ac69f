package AMT::Apf;

# The device's side of APF, message by message, for tests that need to send
# exactly these bytes.  Contract: apf.md section 3.
#
#   my $d = AMT::Apf->connect($port, %ssl_options);
#   $d->login('admin', 'password');          # true when let in
#   $d->send(AMT::Apf::forward(16992));
#   my $m = $d->read(2);                     # { type => 81, port => 16992 }

use strict;
use warnings;
use IO::Select;
use IO::Socket::SSL;
use Time::HiRes qw(time);

our $AUTH = 'auth@amt.intel.com';
our $PFWD = 'pfwd@amt.intel.com';

sub str { pack 'N/a*', $_[0] }

# GUID text to the 16 bytes on the wire (section 4)
sub uuid {
    my @g = split /-/, $_[0];
    return join '', map({ scalar reverse pack 'H*', $_ } @g[0 .. 2]),
        map { pack 'H*', $_ } @g[3, 4];
}

sub version { pack('CNNN', 192, 1, 0, 4) . uuid($_[0]) . "\0" x 64 }
sub service { pack('C', 5) . str($_[0]) }
sub userauth_none { pack('C', 50) . str($_[0]) . str($PFWD) . str('none') }
sub userauth {
    pack('C', 50) . str($_[0]) . str($PFWD) . str('password') . "\0"
        . str($_[1]);
}
sub forward {
    pack('C', 80) . str('tcpip-forward') . pack('C', $_[1] // 1)
        . str('') . pack('N', $_[0]);
}
sub udp {
    pack('C', 80) . str('udp-send-to@amt.intel.com') . "\0"
        . str('192.168.1.1') . pack('N', 162) . str('10.0.0.5')
        . pack('N', 16992) . str($_[0]);
}
sub channel_open {
    pack('C', 90) . str($_[0]) . pack('NNN', $_[1], 4096, 0xffffffff)
        . str('') . pack('N', 80) . str('1.2.3.4') . pack('N', 1024);
}
sub confirm { pack 'CNNNN', 91, $_[0], $_[1], $_[2], 0xffffffff }
sub open_failure { pack 'CNNNN', 92, $_[0], $_[1], 0, 0 }
sub adjust { pack 'CNN', 93, $_[0], $_[1] }
sub data { pack('CN', 94, $_[0]) . str($_[1]) }
sub close_channel { pack 'CN', 97, $_[0] }
sub keepalive { pack 'CN', 208, $_[0] }
sub disconnect { pack 'CNn', 1, $_[0], 0 }

sub connect {
    my ($class, $port, %ssl) = @_;
    my $socket = IO::Socket::SSL->new(PeerAddr => '127.0.0.1',
        PeerPort => $port, SSL_verify_mode => SSL_VERIFY_NONE,
        Timeout => 10, %ssl) or return;

    return bless { socket => $socket, in => '',
        guid => '4c4c4544-0001-4d10-8051-000000000001' }, $class;
}

sub send {
    my ($self, @messages) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my $bytes = join '', @messages;

    while (length $bytes) {
        my $n = $self->{socket}->syswrite($bytes) or return 0;
        substr $bytes, 0, $n, '';
    }

    return 1;
}

# One decoded message, { type => 'eof' } at the end, undef after the time
sub read {
    my ($self, $seconds) = @_;
    my $end = time + ($seconds // 5);

    while (1) {
        my $m = $self->decode;
        return $m if $m;
        return { type => 'eof' } if $self->{eof};

        my $left = $end - time;
        return if $left <= 0;
        unless ($self->{socket}->pending) {
            IO::Select->new($self->{socket})->can_read($left) or return;
        }
        my $n = $self->{socket}->sysread(my $buf, 16384);
        if ($n) {
            $self->{in} .= $buf;
        } else {
            $self->{eof} = 1;
        }
    }
}

my %fixed = (1 => 7, 52 => 1, 82 => 1, 91 => 17, 92 => 17, 93 => 9, 97 => 5,
    208 => 5, 209 => 5, 210 => 9, 211 => 9);

sub decode {
    my ($self) = @_;
    my $in = \$self->{in};

    return unless length $$in;
    my $type = ord $$in;
    my $size = $fixed{$type};
    my $n = length($$in) >= 5 ? unpack 'x N', $$in : undef;

    if ($type == 6) { return unless defined $n; $size = 5 + $n }
    elsif ($type == 51) { return unless defined $n; $size = 6 + $n }
    elsif ($type == 81) { $size = $self->{cancelled} ? 1 : 5 }
    elsif ($type == 94) {
        return if length $$in < 9;
        $size = 9 + unpack 'x5 N', $$in;
    } elsif ($type == 90) {
        return unless defined $n && length $$in >= 21 + $n;
        my $a = unpack "x[5] x[$n] x[12] N", $$in;
        return if length $$in < 29 + $n + $a;
        $size = 33 + $n + $a + unpack "x[25] x[$n] x[$a] N", $$in;
    }
    die "server sent unknown APF message $type\n" unless $size;
    return if length $$in < $size;

    my $bytes = substr $$in, 0, $size, '';
    my %m = (type => $type, bytes => $bytes);
    if ($type == 1) { ($m{reason}) = unpack 'x N', $bytes }
    elsif ($type == 6) { $m{name} = substr $bytes, 5 }
    elsif ($type == 81 && $size == 5) { $m{port} = unpack 'x N', $bytes }
    elsif ($type == 90) {
        my ($name) = unpack 'x N/a', $bytes;
        $m{name} = $name;
        @m{qw(channel window)} = unpack 'x5 x' . length($name) . ' NN', $bytes;
        $m{port} = unpack 'N', substr $bytes, 21 + length($name)
            + unpack('N', substr $bytes, 17 + length $name), 4;
    } elsif ($type == 93) { @m{qw(channel bytes_added)} = unpack 'x NN', $bytes }
    elsif ($type == 94) {
        $m{channel} = unpack 'x N', $bytes;
        $m{data} = substr $bytes, 9;
    } elsif ($type == 97) { $m{channel} = unpack 'x N', $bytes }
    elsif ($type == 208 || $type == 209) { $m{cookie} = unpack 'x N', $bytes }
    elsif ($type == 210) { @m{qw(interval timeout)} = unpack 'x NN', $bytes }

    return \%m;
}

# The next message of a type; others are kept aside in $self->{skipped}
sub expect {
    my ($self, $type, $seconds) = @_;
    my $end = time + ($seconds // 5);

    while (my $m = $self->read($end - time)) {
        return $m if $m->{type} eq $type;
        push @{$self->{skipped}}, $m;
        return if $m->{type} eq 'eof';
    }

    return;
}

# The whole login and the forwards of %o{ports}; the last message read
sub login {
    my ($self, $user, $password, %o) = @_;
    my $guid = $o{guid} || $self->{guid};

    $self->send(version($guid), service($AUTH));
    $self->expect(6, $o{seconds}) or return;
    $self->send(userauth($user, $password));
    $self->expect(52, $o{seconds}) or return;
    $self->send(service($PFWD));
    $self->expect(6, $o{seconds}) or return;
    for my $port (@{$o{ports} || [16992]}) {
        $self->send(forward($port));
        $self->expect(81, $o{seconds}) or return;
    }

    return 1;
}

sub close {
    my ($self) = @_;
    $self->{socket}->close(SSL_no_shutdown => 1) if $self->{socket};
    delete $self->{socket};
}

1;
