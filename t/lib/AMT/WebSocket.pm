package AMT::WebSocket;

# A small WebSocket client for tests: opening handshake, masked frames,
# fragments, control frames; blocking with timeouts.
#
#   my $ws = AMT::WebSocket->connect($t, 'http', '/relay/webrelay.ashx?...',
#       protocol => $token, headers => { 'X-API-Key' => $key }, ssl => {});
#   $ws->{status} == 101 or ...;        # $ws->{headers}, $ws->{body}
#   $ws->send($bytes); $ws->text($chars);
#   my $bytes = $ws->read(13);          # of messages, as bytes
#   my ($code, $reason) = $ws->wait_close;

use strict;
use warnings;

use AMT::Test;
use Errno qw(EAGAIN EWOULDBLOCK);
use IO::Select;
use MIME::Base64 qw(encode_base64);
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

sub connect {
    my ($class, $t, $port, $path, %o) = @_;
    my $self = bless { in => '', data => '', timeout => $o{timeout}
        || 10 * AMT::Test::slow() }, $class;

    $self->{socket} = $t->socket($port, %o) or die "connect: $!";

    $self->{socket}->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);

    my $key = $o{key} // encode_base64(join('', map { chr int rand 256 }
        1 .. 16), '');
    my %h = (Host => 'localhost', Upgrade => 'websocket',
        Connection => 'Upgrade', 'Sec-WebSocket-Version' => 13,
        'Sec-WebSocket-Key' => $key);

    $h{'Sec-WebSocket-Protocol'} = $o{protocol} if defined $o{protocol};
    %h = (%h, %{$o{headers} || {}});
    $self->raw("GET $path HTTP/1.1\r\n"
        . join('', map { "$_: $h{$_}\r\n" } grep { defined $h{$_} }
            sort keys %h) . "\r\n" . ($o{early} // ''));

    my $head = $self->until(qr/\r\n\r\n/);
    return $self if !defined $head;
    ($self->{status}) = $head =~ m{^HTTP/1\.1 (\d+)};
    $self->{headers} = { map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () }
        split /\r\n/, $head };
    if ($self->{status} != 101) {
        1 while $self->more;
        $self->{body} = $self->{in};
    }

    return $self;
}

sub raw {
    my ($self, $bytes) = @_;
    my $s = $self->{socket};

    local $SIG{PIPE} = 'IGNORE';
    while (length $bytes) {
        my $n = $s->syswrite($bytes) // return 0;
        substr $bytes, 0, $n, '';
    }

    return 1;
}

# Reads something; 0 at the end or after the time
sub more {
    my ($self, $seconds) = @_;
    my $s = $self->{socket};

    if (!($s->can('pending') && $s->pending)) {
        IO::Select->new($s)->can_read($seconds // $self->{timeout})
            or return 0;
    }
    my $n = $s->sysread($self->{in}, 65536, length $self->{in});

    if (!defined $n && ($! == EAGAIN || $! == EWOULDBLOCK)) {
        return -1;
    }
    $self->{eof} = 1 unless $n;

    return $n || 0;
}

sub until {
    my ($self, $re) = @_;

    until ($self->{in} =~ $re) {
        $self->more or return undef;
    }
    $self->{in} =~ $re;

    return substr $self->{in}, 0, $+[0], '';
}

sub frame {
    my ($self, $first, $payload) = @_;
    my $len = length $payload;
    my $mask = pack 'N', int rand 0xffffffff;
    my $head = $len < 126 ? pack('CC', $first, 0x80 | $len)
        : $len < 65536 ? pack('CCn', $first, 0xfe, $len)
        : pack('CCQ>', $first, 0xff, $len);
    my $key = $mask x (1 + $len / 4);

    return $head . $mask . ($payload ^ substr $key, 0, $len);
}

sub send { my ($self, $bytes) = @_; $self->raw($self->frame(0x82, $bytes)) }

sub text {
    my ($self, $chars) = @_;
    utf8::encode($chars);
    return $self->raw($self->frame(0x81, $chars));
}

sub close {
    my ($self, $code, $reason) = @_;
    return $self->raw($self->frame(0x88, pack('n', $code // 1000)
        . ($reason // '')));
}

# One frame: (first byte, payload), or nothing
sub next_frame {
    my ($self, $seconds) = @_;
    my $end = time + ($seconds // $self->{timeout});

    while (1) {
        my ($in, $n) = (\$self->{in}, length $self->{in});
        if ($n >= 2) {
            my ($first, $len) = unpack 'CC', $$in;
            my $head = $len == 126 ? 4 : $len == 127 ? 10 : 2;
            die "masked frame of a server\n" if $len & 0x80;
            if ($n >= $head) {
                $len = unpack 'x2n', $$in if $head == 4;
                $len = unpack 'x2Q>', $$in if $head == 10;
                if ($n >= $head + $len) {
                    my $payload = substr $$in, $head, $len;
                    substr $$in, 0, $head + $len, '';
                    return ($first, $payload);
                }
            }
        }
        my $left = $end - time;
        return if $left <= 0;
        $self->more($left) or return;
    }
}

# Takes frames until there are n bytes of data, a close, or the time is up
sub fill {
    my ($self, $n, $seconds) = @_;
    my $end = time + ($seconds // $self->{timeout});

    while (length $self->{data} < $n && !$self->{closed}) {
        my ($first, $payload) = $self->next_frame($end - time);
        last unless defined $first;
        my $op = $first & 0x0f;
        if ($op <= 2) {
            $self->{op} = $op if $op;
            utf8::decode($payload) if $self->{op} == 1;
            $self->{data} .= $payload;
            utf8::downgrade($self->{data});
        } elsif ($op == 8) {
            $self->{closed} = 1;
            ($self->{code}, $self->{reason}) = length $payload >= 2
                ? unpack('na*', $payload) : (1005, '');
            $self->raw($self->frame(0x88, $payload));
        } elsif ($op == 9) {
            $self->raw($self->frame(0x8a, $payload));
        }
    }

    return length $self->{data};
}

# Exactly n bytes, or what came until the end
sub read {
    my ($self, $n, $seconds) = @_;

    $self->fill($n, $seconds);
    $n = length $self->{data} if $n > length $self->{data};

    return substr $self->{data}, 0, $n, '';
}

# Bytes up to and with the match, or undef
sub expect {
    my ($self, $re, $seconds) = @_;
    my $end = time + ($seconds // $self->{timeout});

    until ($self->{data} =~ $re) {
        return undef if $self->{closed} || time > $end;
        my $have = length $self->{data};
        $self->fill($have + 1, $end - time) > $have or return undef;
    }
    $self->{data} =~ $re;

    return substr $self->{data}, 0, $+[0], '';
}

# (code, reason) of the close frame; (1006, '') when there was none
sub wait_close {
    my ($self, $seconds) = @_;
    my $end = time + ($seconds // $self->{timeout});

    while (!$self->{closed} && time < $end && !$self->{eof}) {
        $self->fill(length($self->{data}) + 1, $end - time);
    }

    return $self->{closed} ? ($self->{code}, $self->{reason}) : (1006, '');
}

1;
