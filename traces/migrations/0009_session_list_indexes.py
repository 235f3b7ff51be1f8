"""Indexes for the session list at a million sessions; what came before goes last."""

import django.contrib.postgres.indexes
import django.db.models.expressions
import django.db.models.functions.comparison
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('traces', '0008_prices_and_erasures'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='session',
            index=models.Index(fields=['project', '-started_at', '-id'], include=('is_golden', 'status', 'agent_name', 'version_name', 'source', 'num_errors', 'num_steps', 'cost_usd', 'first_ns', 'last_ns', 'working_ns', 'input_tokens', 'output_tokens'), name='session_list'),
        ),
        AddIndexConcurrently(
            model_name='session',
            index=models.Index(fields=['project', 'version_name', '-started_at', '-id'], include=('is_golden',), name='session_version'),
        ),
        AddIndexConcurrently(
            model_name='session',
            index=models.Index(fields=['project', 'agent_name', '-started_at', '-id'], include=('is_golden',), name='session_agent'),
        ),
        AddIndexConcurrently(
            model_name='session',
            index=models.Index(condition=models.Q(('status__in', ['running', 'waiting', 'failed', 'cancelled'])), fields=['project', 'status', '-started_at', '-id'], include=('is_golden',), name='session_unusual'),
        ),
        AddIndexConcurrently(
            model_name='session',
            index=models.Index(fields=['project', 'cost_usd'], name='session_cost'),
        ),
        AddIndexConcurrently(
            model_name='session',
            index=models.Index(condition=models.Q(('num_errors__gt', 0)), fields=['project', 'num_errors'], name='session_errors'),
        ),
        AddIndexConcurrently(
            model_name='session',
            index=models.Index(models.F('project'), django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('last_ns'), '/', models.Value(1000)), '-', django.db.models.expressions.CombinedExpression(models.F('first_ns'), '/', models.Value(1000))), name='session_took'),
        ),
        AddIndexConcurrently(
            model_name='session',
            index=models.Index(models.F('project'), django.db.models.functions.comparison.Coalesce(django.db.models.expressions.CombinedExpression(models.F('input_tokens'), '+', models.F('output_tokens')), 'input_tokens', 'output_tokens'), name='session_tokens'),
        ),
        AddIndexConcurrently(
            model_name='session',
            index=django.contrib.postgres.indexes.GinIndex(fields=['model_names'], name='session_models'),
        ),
        RemoveIndexConcurrently(
            model_name='session',
            name='session_newest_first',
        ),
    ]
