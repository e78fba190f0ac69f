package AMT::Stub;

# An HTTP service for tests that answers as told and remembers what it was
# asked: stands in for cira_auth, cira_notify, or a broken Vault.
#
#   my $s = AMT::Stub->new($path_of_unix_socket_or_port);
#   $s->answer('/auth', 204);                  # or code ref ($method, $body)
#   $s->answer('/auth', 200, '{"tenant":"t"}', delay => 1);
#   $s->raw('/auth', "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx");
#   my @requests = $s->requests;     # [method, uri, body, head, status], ...

use strict;
use warnings;
use Fcntl qw(:flock);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX ();
use Time::HiRes qw(sleep);

sub new {
    my ($class, $where) = @_;
    my $self = bless { dir => tempdir('stub-XXXXXXXX', DIR => '/tmp',
        CLEANUP => 1), owner => $$ }, $class;
    my $listen = $where =~ m{^/}
        ? IO::Socket::UNIX->new(Local => $where, Listen => 128)
        : IO::Socket::INET->new(LocalAddr => '127.0.0.1',
            LocalPort => $where, Listen => 128, ReuseAddr => 1,
            Proto => 'tcp');
    die "stub: $where: $!" unless $listen;

    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        $SIG{PIPE} = 'IGNORE';
        eval { $self->serve($listen) };
        POSIX::_exit(0);
    }
    close $listen;

    return $self;
}

# One process, one connection at a time would block on keepalive: select
sub serve {
    my ($self, $listen) = @_;
    my $select = IO::Select->new($listen);
    my %in;

    while (getppid != 1) {
        for my $s ($select->can_read(1)) {
            if ($s == $listen) {
                my $c = $listen->accept or next;
                $select->add($c);
                $in{$c} = '';
                next;
            }
            my $n = sysread $s, $in{$s}, 65536, length $in{$s};
            if (!$n || !$self->handle($s, \$in{$s})) {
                $select->remove($s);
                delete $in{$s};
                close $s;
            }
        }
    }
}

sub handle {
    my ($self, $s, $in) = @_;

    while ($$in =~ /^(.*?\r\n\r\n)/s) {
        my $head = $1;
        my ($length) = $head =~ /^Content-Length: *(\d+)/mi;
        $length ||= 0;
        return 1 if length($$in) < length($head) + $length;
        my $body = substr $$in, length $head, $length;
        substr $$in, 0, length($head) + $length, '';
        my ($method, $uri) = $head =~ /^(\S+) (\S+)/;

        my $a = $self->lookup($method, $uri);
        $self->append([$method, $uri, $body, $head, $a->{status} || 0]);
        sleep $a->{delay} if $a->{delay};
        return 0 if $a->{drop};
        if (defined $a->{raw}) {
            syswrite $s, $a->{raw};
            sleep $a->{hold} if $a->{hold};
            return 0;
        }
        my $text = $a->{body} // '';
        syswrite $s, "HTTP/1.1 $a->{status} X\r\nContent-Type: application/json"
            . ($a->{status} == 204 ? "\r\n\r\n"
                : "\r\nContent-Length: " . length($text) . "\r\n\r\n$text");
    }

    return 1;
}

sub lookup {
    my ($self, $method, $uri) = @_;
    my $all = {};

    if (open my $f, '<', "$self->{dir}/answers") {
        local $/;
        $all = eval { decode_json(<$f>) } || {};
    }
    (my $path = $uri) =~ s/\?.*//;

    return $all->{"$method $path"} || $all->{$path} || $all->{'*'}
        || { status => 404 };
}

sub set {
    my ($self, $path, $a) = @_;

    $self->{answers}{$path} = $a;
    open my $f, '>', "$self->{dir}/answers.new" or die $!;
    print $f encode_json($self->{answers});
    close $f;
    rename "$self->{dir}/answers.new", "$self->{dir}/answers";
}

sub answer {
    my ($self, $path, $status, $body, %o) = @_;
    $self->set($path, { status => $status, body => $body, %o });
}

sub raw { my ($self, $path, $raw, %o) = @_; $self->set($path, { raw => $raw, %o }) }
sub drop { my ($self, $path) = @_; $self->set($path, { drop => 1 }) }

sub append {
    my ($self, $r) = @_;
    open my $f, '>>', "$self->{dir}/requests" or return;
    print $f encode_json($r), "\n";
    close $f;
}

# [method, uri, body, head, status of the answer] of all requests so far
sub requests {
    my ($self) = @_;
    open my $f, '<', "$self->{dir}/requests" or return;
    return map { decode_json($_) } grep { /\n\z/ } <$f>;
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
