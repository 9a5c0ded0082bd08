using Microsoft.Extensions.Logging;

namespace Tidegate.Dashboard.Serving;

/// <summary>Brings what the pages' application has to complain about into the gateway's log.</summary>
internal sealed class LineLogging(Action<string> log) : ILoggerProvider
{
    public ILogger CreateLogger(string categoryName) => new LineLogger(categoryName, log);

    public void Dispose()
    {
        // The log is the gateway's.
    }

    private sealed class LineLogger(string category, Action<string> log) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                log($"Dashboard: {category}: {formatter(state, exception)}{(exception is null ? "" : $" {exception}")}");
            }
        }
    }
}
