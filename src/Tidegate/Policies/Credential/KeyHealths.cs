using System.Collections.Concurrent;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Credential;

/// <summary>What is known of the keys of all APIs that have several; outlives a configuration. A key whose value was changed begins anew.</summary>
internal sealed class KeyHealths(TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Api, string Name), KeyHealth> _keys = new();

    /// <summary>Every one of them.</summary>
    public IEnumerable<KeyHealth> All => _keys.Values;

    public KeyHealth Of(string api, ProviderKey key) => _keys.AddOrUpdate(
        (api, key.Name),
        static (_, added) => new KeyHealth(added.Api, added.Key, added.Time),
        static (_, known, added) => known.Key == added.Key ? known : new KeyHealth(added.Api, added.Key, added.Time),
        (Api: api, Key: key, Time: time));
}
