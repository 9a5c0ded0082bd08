using System.Security.Cryptography;
using System.Text;
using Tidegate.Configuration;

namespace Tidegate.Dashboard.SignIn;

/// <summary>Who is signed in. In memory: a restart signs everybody out. Bounded: the oldest makes room.</summary>
internal sealed class Sessions(TimeProvider time)
{
    /// <summary>A working day: whoever is back the next morning signs in again.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromHours(12);

    // Several browsers of everybody who looks after one gateway.
    private const int Capacity = 256;

    // 256 bits: not to be guessed.
    private const int KeyBytes = 32;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Session> _sessions = [];

    /// <summary>Begins a session and gives its key, which only the browser keeps.</summary>
    public string Begin(Secret token)
    {
        var key = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(KeyBytes));
        lock (_gate)
        {
            if (_sessions.Count >= Capacity)
            {
                EndUnderGate(_sessions.MinBy(session => session.Value.Ends).Key);
            }

            var ends = new CancellationTokenSource(Life, time);
            _sessions.Add(Hash(key), new Session(time.GetUtcNow() + Life, Hash(token.Value), ends));
        }

        return key;
    }

    /// <summary>Whether a key belongs to a session that holds, and when that ends. One that began with another token than the one in force is over.</summary>
    public bool TryFind(string? key, Secret token, out CancellationToken ended)
    {
        ended = default;
        if (key is not { Length: KeyBytes * 2 })
        {
            return false;
        }

        // Found by its hash: how long the search takes says nothing about any key.
        var hash = Hash(key);
        lock (_gate)
        {
            if (!_sessions.TryGetValue(hash, out var session))
            {
                return false;
            }

            if (session.Ends <= time.GetUtcNow() || session.Token != Hash(token.Value))
            {
                EndUnderGate(hash);
                return false;
            }

            ended = session.Ended.Token;
            return true;
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

    private void EndUnderGate(string hash)
    {
        if (_sessions.Remove(hash, out var session))
        {
            session.Ended.Cancel();
            session.Ended.Dispose();
        }
    }

    private static string Hash(string text) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private sealed record Session(DateTimeOffset Ends, string Token, CancellationTokenSource Ended);
}
