using System.Security.Cryptography;
using System.Text;
using Tidegate.Control.Admin;

namespace Tidegate.Dashboard.SignIn;

/// <summary>Who is signed in. In memory: a restart signs everybody out. Bounded: the oldest makes room.</summary>
internal sealed class Sessions(TimeProvider time)
{
    // Several browsers of everybody who looks after one gateway.
    private const int Capacity = 256;

    // Of one person: the oldest of its own makes room, not others'.
    private const int CapacityEach = 32;

    // 256 bits: not to be guessed.
    private const int KeyBytes = 32;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Session> _sessions = [];

    /// <summary>Begins a session and gives its key, which only the browser keeps.</summary>
    /// <param name="caller">Who signed in.</param>
    /// <param name="proof">By what.</param>
    /// <param name="access">What was in force then.</param>
    /// <param name="life">How long it holds.</param>
    /// <param name="replaced">The key that the browser came with, whose session ends soon: it takes nobody's place, and nobody's is taken for it.</param>
    public string Begin(AdminCaller caller, SignInProof proof, AdminAccess access, TimeSpan life, string? replaced = null)
    {
        var key = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(KeyBytes));
        var leaving = replaced is null ? null : Hash(replaced);
        lock (_gate)
        {
            var staying = _sessions.Where(session => session.Key != leaving).ToList();
            var own = staying.Where(session => caller.IsOnePerson && session.Value.Caller.Name == caller.Name).ToList();
            if (own.Count >= CapacityEach)
            {
                EndUnderGate(own.MinBy(session => session.Value.Ends).Key);
            }
            else if (staying.Count >= Capacity)
            {
                EndUnderGate(staying.MinBy(session => session.Value.Ends).Key);
            }

            var ends = new CancellationTokenSource(life, time);
            _sessions.Add(Hash(key), new Session(caller, proof, proof.Of(access), time.GetUtcNow() + life, ends));
        }

        return key;
    }

    /// <summary>Whose session a key is, and when that ends; null when it does not hold any more.</summary>
    public AdminCaller? Find(string? key, AdminAccess access, out CancellationToken ended)
    {
        ended = default;
        if (key is not { Length: KeyBytes * 2 })
        {
            return null;
        }

        // Found by its hash: how long the search takes says nothing about any key.
        var hash = Hash(key);
        lock (_gate)
        {
            if (!_sessions.TryGetValue(hash, out var session))
            {
                return null;
            }

            if (!Holds(session, access))
            {
                EndUnderGate(hash);
                return null;
            }

            ended = session.Ended.Token;
            return session.Caller;
        }
    }

    /// <summary>Ends a session; what it has open is closed.</summary>
    public void End(string? key)
    {
        lock (_gate)
        {
            if (key is not null)
            {
                EndUnderGate(Hash(key));
            }
        }
    }

    /// <summary>Ends every session that another configuration would not have begun.</summary>
    public void EndOthers(AdminAccess access)
    {
        lock (_gate)
        {
            foreach (var hash in _sessions.Where(session => !Holds(session.Value, access)).Select(session => session.Key).ToList())
            {
                EndUnderGate(hash);
            }
        }
    }

    private bool Holds(Session session, AdminAccess access) => session.Ends > time.GetUtcNow() && session.Means is { } means && session.Proof.Of(access) == means;

    private void EndUnderGate(string hash)
    {
        if (_sessions.Remove(hash, out var session))
        {
            session.Ended.Cancel();
            session.Ended.Dispose();
        }
    }

    private static string Hash(string text) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private sealed record Session(AdminCaller Caller, SignInProof Proof, string? Means, DateTimeOffset Ends, CancellationTokenSource Ended);
}
