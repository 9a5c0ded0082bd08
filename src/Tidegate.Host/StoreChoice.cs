using Tidegate.Configuration;
using Tidegate.Control;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Postgres;

namespace Tidegate.Host;

/// <summary>Where exchanges are kept, by the configuration.</summary>
internal static class StoreChoice
{
    /// <returns>Null when it is off. One that cannot be opened says why, also in the log, and is tried again: what is in the way of looking back must not be in the way of traffic.</returns>
    public static IExchangeStore? Open(CompiledConfiguration compiled, Action<string> log, TimeProvider time)
    {
        if (compiled.Control.Store is not { } keep)
        {
            return null;
        }

        var settings = new StoreSettings { Directory = keep.Directory ?? Path.Combine(compiled.StateDirectory, "exchanges"), MaxBytes = keep.MaxBytes, MaxAge = keep.MaxAge };
        if (keep.Database is { } database)
        {
            if (PostgresAddress.Parse(database.Value) is { } address)
            {
                return new PostgresStore(address, settings with { Directory = CanMake(settings.Directory, log) ? settings.Directory : "" }, log, time);
            }

            const string NoAddress = "recording.store.postgresql is no address of a database; write postgresql://USER:PASSWORD@HOST/DATABASE and start again.";
            log($"Exchanges are not kept: {NoAddress}");
            return new RetriedStore(static () => throw new IOException(NoAddress), settings with { Directory = "PostgreSQL" }, NoAddress, log);
        }

        return Open(() => ExchangeStore.Open(settings, log, time), settings, log);
    }

    private static IExchangeStore Open(Func<IExchangeStore> open, StoreSettings settings, Action<string> log)
    {
        try
        {
            return open();
        }
        catch (Exception unusable) when (unusable is IOException or UnauthorizedAccessException)
        {
            log($"Exchanges are not kept: {unusable.Message} It is tried again each minute. Make room, set recording.store.path to a directory that can be written and that no other gateway has, or to off.");
            return new RetriedStore(open, settings, unusable.Message, log);
        }
    }

    private static bool CanMake(string directory, Action<string> log)
    {
        try
        {
            PrivateFolder.Make(directory);
            return true;
        }
        catch (Exception unusable) when (unusable is IOException or UnauthorizedAccessException)
        {
            log($"{directory} cannot be made this gateway's own: {unusable.Message} The inventory is kept in memory only, and files that are exported in the directory for what is temporary.");
            return false;
        }
    }
}
