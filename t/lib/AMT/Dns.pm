package AMT::Dns;

# A name server for tests: every name has one IPv4 address, or none.
#
#   my $dns = AMT::Dns->new($t->port('dns'), '127.0.0.3');
#   resolver 127.0.0.1:%%PORT:dns%% ipv6=off;
#   $dns->stop;

use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();

sub new {
    my ($class, $port, $addr) = @_;
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $port, Proto => 'udp') or die "dns: $!";
    my $pid = fork // die "fork: $!";

    if (!$pid) {
        while (getppid != 1) {
            my $from = $s->recv(my $q, 512) // next;
            my ($id, $question) = unpack 'a2 x10 a*', $q;
            my ($name, $type) = $question =~ /^((?:[^\0].*?)?\0)(..)/s or next;
            my $found = $addr && $type eq "\0\1";
            $s->send($id . pack('n5', $found ? 0x8180 : 0x8183, 1,
                $found ? 1 : 0, 0, 0) . "$name$type\0\1"
                . ($found ? "\xc0\x0c\0\1\0\1" . pack('N n', 1, 4)
                    . pack('C4', split /\./, $addr) : ''), 0, $from);
        }
        POSIX::_exit(0);
    }

    return bless { pid => $pid, owner => $$ }, $class;
}

sub stop {
    my ($self) = @_;

    return unless $self->{pid} && $self->{owner} == $$;
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    delete $self->{pid};
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!);
    $self->stop;
}

1;
