using System.Collections.Concurrent;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Credential;

/// <summary>What is known of the keys of all APIs that have several; outlives a configuration. A key whose value was changed begins anew.</summary>
internal sealed class KeyHealths(TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Api, string Name), KeyHealth> _keys = new();

    /// <summary>Every one of them.</summary>
    public IEnumerable<KeyHealth> All => _keys.Values;

    /// <summary>What is known of a key; for one that is new, or has another value, something that nobody else sees before it is kept.</summary>
    public KeyHealth Of(string api, ProviderKey key) => _keys.TryGetValue((api, key.Name), out var known) && known.Key == key ? known : new KeyHealth(api, key, time);

    /// <summary>From now on this is what is known of the key.</summary>
    public KeyHealth Keep(KeyHealth health)
    {
        health.InForceSince ??= time.GetUtcNow();
        return _keys[(health.Api, health.Key.Name)] = health;
    }
}
